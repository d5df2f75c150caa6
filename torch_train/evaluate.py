"""`python -m torch_train.evaluate CHECKPOINT ROWS FOLDER`: what a base answers without, beside and with its document.

Every question is asked three ways: without the document (the lower bound), with the document in the context (the upper
bound), and with the document's adapter. Questions that belong to another document show what an adapter does to them.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from torch_train import report
from torch_train.absorbed import Absorber
from torch_train.arguments import device, whole, wholes
from torch_train.base import DTYPES
from torch_train.data import niah
from torch_train.data.row import Row, read_rows
from torch_train.errors import DataError, TrainingError
from torch_train.prompt import document_ids, question_ids
from torch_train.storage import replacing

WAYS = ("nothing", "context", "adapter")


@dataclass(frozen=True)
class Answered:
    """A question and what was answered to it.

    Attributes:
        id: Of the context that was given or absorbed.
        source: Of this context.
        tokens: Its length, templated.
        question: As it was asked.
        references: Acceptable answers.
        answers: Way -> answer; None where the document does not fit the base's context.
        relevant: Whether the question is about the context.
    """

    id: str
    source: str
    tokens: int
    question: str
    references: tuple[str, ...]
    answers: dict[str, str | None]
    relevant: bool


def evaluate(
    model: Absorber, rows: Sequence[Row], max_answer_tokens: int, unrelated: int, seed: int = 0
) -> Iterator[Answered]:
    """Ask everything that has a reference answer.

    Args:
        model: Base and hypernetwork.
        rows: Contexts with questions.
        max_answer_tokens: Answers are cut here.
        unrelated: Questions of other contexts that are asked about each context.
        seed: Of their choice.
    """
    known = [row for row in rows if any(row.answers)]
    for row in known:
        own = [(q, references, True) for q, references in zip(row.questions, row.answers, strict=True) if references]
        foreign = _foreign(row, known, unrelated, random.Random(f"{seed}-{row.id}"))
        asked = own + [(q, references, False) for q, references in foreign]
        adapters = model.absorb(row.context)
        closed = [question_ids(model.tokenizer, question) for question, _, _ in asked]
        opened = [question_ids(model.tokenizer, question, row.context) for question, _, _ in asked]
        fits = max(map(len, opened)) + max_answer_tokens <= model.context_length
        by_way = {
            "nothing": model.answer(closed, max_answer_tokens),
            "context": model.answer(opened, max_answer_tokens) if fits else [None] * len(asked),
            "adapter": model.answer(closed, max_answer_tokens, adapters),
        }
        tokens = len(document_ids(model.tokenizer, row.context))
        for i, (question, references, relevant) in enumerate(asked):
            answers = {way: by_way[way][i] for way in WAYS}
            yield Answered(row.id, row.source, tokens, question, references, answers, relevant)


def _foreign(row: Row, rows: Sequence[Row], count: int, draw: random.Random) -> list[tuple[str, tuple[str, ...]]]:
    """One question each, with known answers, of some other contexts; needles, which all ask alike, take no part."""
    others = [other for other in rows if other.id != row.id and not _is_needle(other)]
    if _is_needle(row):
        return []
    drawn = []
    for other in draw.sample(others, min(count, len(others))):
        known = [pair for pair in zip(other.questions, other.answers, strict=True) if pair[1]]
        question, references = draw.choice(known)
        if question not in row.questions:
            drawn.append((question, references))
    return drawn


def _is_needle(row: Row) -> bool:
    return row.source.startswith("niah/")


def needles(lengths: Sequence[int], depths: int, per_cell: int, count: Callable[[str], int], seed: int) -> list[Row]:
    """Needles for the heat map, those that cannot be made left out with a line on stderr."""
    rows: list[Row] = []
    for length in lengths:
        try:
            rows += niah.grid([length], depths, per_cell, count, seed)
        except DataError as error:
            print(f"no needle in {length} tokens: {error}", file=sys.stderr)
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m torch_train.evaluate", description="Measure a checkpoint: no document, in context, adapter."
    )
    parser.add_argument("checkpoint", type=Path, help="a training checkpoint, step-00000100")
    parser.add_argument(
        "rows", type=Path, help="rows with reference answers, as python -m torch_train.data writes them"
    )
    parser.add_argument("folder", type=Path, help="where report.json, report.md, answers.jsonl and pictures go")
    parser.add_argument("--base", help="the base's folder or name, if it is not where the checkpoint says")
    parser.add_argument("--limit", type=whole(1), help="take the first LIMIT contexts only")
    parser.add_argument(
        "--unrelated", type=whole(0), default=2, help="questions of other contexts per context (%(default)s)"
    )
    parser.add_argument("--needles", type=wholes, default=(), help="lengths in tokens, such as 256,1024,8192")
    parser.add_argument("--depths", type=whole(1), default=5, help="depths of the needles (%(default)s)")
    parser.add_argument("--per-cell", type=whole(1), default=4, help="needles at each length and depth (%(default)s)")
    parser.add_argument("--max-answer-tokens", type=whole(1), default=64, help="answers are cut here (%(default)s)")
    parser.add_argument("--batch-size", type=whole(1), default=16, help="prompts at once (%(default)s)")
    here = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", type=device, default=here, help="where all runs (%(default)s)")
    parser.add_argument("--dtype", choices=tuple(DTYPES), help="of the base (bfloat16 on CUDA, else float32)")
    parser.add_argument("--seed", type=int, default=0, help="of unrelated questions and needles (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        _run(options)
    except TrainingError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or options.folder}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    place = torch.device(options.device)
    dtype = options.dtype or ("bfloat16" if place.type == "cuda" else "float32")
    rows = read_rows(options.rows)[: options.limit]
    options.folder.mkdir(parents=True, exist_ok=True)  # before hours of answers, not after
    model = Absorber(options.checkpoint, options.base, place, dtype, options.batch_size)

    def count(text: str) -> int:
        return len(model.tokenizer.encode(text, add_special_tokens=False))

    rows += needles(options.needles, options.depths, options.per_cell, count, options.seed)
    if not any(any(row.answers) for row in rows):
        raise DataError(f"{options.rows} has no question with a reference answer: there is nothing to compare with")
    answered = []
    for one in evaluate(model, rows, options.max_answer_tokens, options.unrelated, options.seed):
        if answered and answered[-1].id != one.id and sys.stderr.isatty():
            print(f"\r{len(answered):,} questions", end="", file=sys.stderr, flush=True)
        answered.append(one)
    with replacing(options.folder / "answers.jsonl") as partial:
        partial.write_text("".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in answered), "utf-8")
    about = {"checkpoint": str(options.checkpoint), "rows": str(options.rows), "base": str(model.base_folder)}
    report.write(options.folder, report.summarise(answered), about)
    print((options.folder / "report.md").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    sys.exit(main())
