"""`python -m torch_train.english`: print notes with their questions, or write passages for a training."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from torch_train.english.cutting import Tokens
from torch_train.english.notes import MOST_FACTS, English, tokens
from torch_train.english.passages import LONGEST
from torch_train.english.split import SPLITS
from torch_train.errors import TrainingError


def main(argv: Sequence[str] | None = None) -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.english", description=__doc__)
    commands = parser.add_subparsers(required=True)
    show = commands.add_parser("show", help="print notes with their questions")
    show.add_argument("--seed", default="1", help="seed of the stream (default: 1)")
    show.add_argument("--split", choices=SPLITS, default="train", help="names and wordings to draw from")
    show.add_argument("--facts", type=int, default=4, help=f"facts of a note, 1 to {MOST_FACTS} (default: 4)")
    show.add_argument("--filler", type=int, default=0, help="sentences without a fact (default: 0)")
    show.add_argument("--silent", type=int, default=1, help="questions the note does not answer (default: 1)")
    show.add_argument("--strangers", type=int, default=1, help="questions about other subjects (default: 1)")
    show.add_argument("--kind", help="kind of document (default: drawn)")
    show.add_argument("--notes", type=int, default=5, help="number of notes (default: 5)")
    show.set_defaults(run=_show)
    passages = commands.add_parser("passages", help="write passages with questions as JSONL")
    passages.add_argument("out", type=Path, help="file to write")
    passages.add_argument("--data", type=Path, required=True, help="folder with squadshifts/, fairytaleqa/ and ropes/")
    passages.add_argument("--documentation", action="store_true", help="also read this machine's documentation")
    passages.add_argument("--base", type=Path, help="folder of a base, whose tokenizer counts (default: an estimate)")
    passages.add_argument(
        "--longest", type=int, default=LONGEST, metavar="TOKENS", help="most tokens of a passage (default: %(default)s)"
    )
    passages.set_defaults(run=_passages)
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except TrainingError as error:
        parser.exit(1, f"{error}\n")


def _show(arguments: argparse.Namespace) -> None:
    stream = English(arguments.seed, arguments.split)
    for _ in range(arguments.notes):
        note = stream.note(
            arguments.facts,
            filler=arguments.filler,
            silent=arguments.silent,
            strangers=arguments.strangers,
            kind=arguments.kind,
        )
        print(f"{'-' * 20} about {tokens(note.text)} tokens\n{note.text}\n")
        for question in note.questions:
            print(f"  {question.text} -> {question.answer}")


def _passages(arguments: argparse.Namespace) -> None:
    from torch_train.english import leaks, passages
    from torch_train.english.documentation import documentation

    count = _counter(arguments.base)
    found = passages.passages(arguments.data, count, arguments.longest)
    rows = list(chain(found, documentation(count)) if arguments.documentation else found)
    leaks.check(rows)
    passages.write(arguments.out, rows)
    for (source, split), number in sorted(Counter((row.source, row.split) for row in rows).items()):
        print(f"{source} {split}: {number} passages")


def _counter(base: Path | None) -> Tokens:
    """Number of tokens of a text by the tokenizer of a base, or about that number."""
    if base is None:
        return tokens
    from torch_train.model.tokenizer import load_tokenizer

    backend = load_tokenizer(base).backend_tokenizer  # several times faster than the wrapper around it
    return lambda text: len(backend.encode(text, add_special_tokens=False).ids)


if __name__ == "__main__":
    main()
