"""What goes wrong where nano answers from weights: refusals, wrong values, values with a wrong end (PyTorch, batched).

    python -m benchmarks.errors [--notes 128]

Strangers are entities that the note does not mention, asked about what it tells of others: they should be refused.
"""

from __future__ import annotations

import torch

from benchmarks import harness
from thoth import nano
from torch_train.model.encoder import layer_features
from torch_train.model.lora import Injected, compose
from torch_train.nano import base, tokenizer
from torch_train.nano.language import UNKNOWN, Language
from torch_train.nano.tree_rows import closed_rows, document_rows, tokenise
from torch_train.training import checkpoint

SEED = 20_261_124


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--notes", type=int, default=128, help="notes for each number of facts")
    notes_each = parser.parse_args().notes
    words = tokenizer.load(nano.folder() / "base")
    model = base.load(nano.folder() / "base").eval()
    hypernet = checkpoint.load_hypernet(nano.folder() / "hypernet")
    adapters = Injected(model.model.layers, tuple(hypernet.config.modules), hypernet.config.scale)
    refusal = words.encode(f" {UNKNOWN}").ids[0]
    shares = ("exact", "refused", "wrong from the first token", "wrong later")
    table = harness.Table("facts", "questions", *shares, "strangers", "answered")
    with torch.no_grad():
        for facts in (1, 2, 4, 8, 12):
            language = Language(SEED, "test")
            items = tokenise(words, [language.note(facts, 1, unanswerable=0, strangers=2) for _ in range(notes_each)])
            document, mask = document_rows(items)
            asked = closed_rows(items)
            with adapters.adapted(compose(hypernet(layer_features(model, document, mask), mask), hypernet.bias())):
                predicted = base.answer_logits(model, asked).argmax(-1)
            right = base.exact(predicted, asked)
            begins, said = asked.targets[asked.first], predicted[asked.first]
            refused, stranger = said == refusal, begins == refusal
            wrong = ~refused & (said != begins)
            later = ~refused & ~wrong & ~right
            known = (kind[~stranger].float().mean() for kind in (right, refused, wrong, later))
            answered = (~refused)[stranger].float().mean()
            found = [f"{share:.1%}" for share in known]
            table.row(facts, int((~stranger).sum()), *found, int(stranger.sum()), f"{answered:.1%}")


if __name__ == "__main__":
    main()
