"""The loss of a pair's base on texts of its own kind and on others: which limit tells them apart (`readable_loss`).

    python -m benchmarks.readable [--pair nano] [--texts 100] [--paragraphs ../shared/data/squadshifts/*.json]

Notes are drawn from nano's language with names that never occur in training; sentences and documents are those of
tests/fixtures/questions, in seven languages. Paragraphs: files in SQuAD's format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import harness
from thoth.engine.absorbing import loss_on
from thoth.engine.loading import LoadedPair, load_pair
from thoth.models import registry
from torch_train.nano.language import Language

SEED = 20_261_129
ROOT = Path(__file__).parents[1]


def sets(texts: int, paragraphs: Sequence[Path]) -> dict[str, list[str]]:
    """Texts by what they are."""
    found = {}
    for facts in (1, 4, 12):
        language = Language(SEED, "test")
        found[f"nano's notes, {facts} facts"] = [language.note(facts, 1).text for _ in range(texts)]
    for language_name in ("mixed", "chinese", "japanese"):
        written = (ROOT / "tests/fixtures/questions" / f"{language_name}.txt").read_text("utf-8")
        documents = re.split(r"^=== .*\n", written, flags=re.MULTILINE)[1:]
        found[f"documents, {language_name}"] = documents
        sentences = [sentence for text in documents for sentence in re.split(r"(?<=[.!?])\s+|\n+", text)]
        found[f"sentences, {language_name}"] = [one for one in sentences if len(one) > 20][:texts]
    for path in paragraphs:
        articles = json.loads(path.read_text("utf-8"))["data"]
        contexts = [one["context"] for article in articles for one in article["paragraphs"]]
        found[f"paragraphs, {path.stem}"] = contexts[:texts]
    return found


def losses(pair: LoadedPair, texts: Sequence[str]) -> list[float]:
    """The loss on the first chunk of each."""
    config = pair.bundle.config
    chunks = [pair.tokenizer.encode(text, add_special_tokens=False)[: config.max_chunk_tokens] for text in texts]
    return [loss_on(pair, [[*config.prefix_ids, *chunk, *config.suffix_ids]]) for chunk in chunks if chunk]


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--pair", default=registry.NANO)
    parser.add_argument("--texts", type=int, default=100, help="of each kind, at most")
    parser.add_argument("--paragraphs", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    pair = load_pair(registry.resolve(options.pair))
    table = harness.Table("texts", "number", "least", "median", "most", "readable")
    for name, texts in sets(options.texts, options.paragraphs).items():
        found = np.array(losses(pair, texts))
        readable = "-" if pair.readable_loss is None else f"{np.mean(found <= pair.readable_loss):.1%}"
        table.row(name, len(found), *(f"{value:.2f}" for value in np.percentile(found, [0, 50, 100])), readable)


if __name__ == "__main__":
    main()
