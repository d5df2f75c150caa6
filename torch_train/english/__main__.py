"""`python -m torch_train.english show`: print notes with their questions."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from torch_train.english.notes import MOST_FACTS, English, tokens
from torch_train.english.split import SPLITS
from torch_train.errors import TrainingError


def main(argv: Sequence[str] | None = None) -> None:
    """Print notes."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.english", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="print notes with their questions")
    show.add_argument("--seed", default="1", help="seed of the stream (default: 1)")
    show.add_argument("--split", choices=SPLITS, default="train", help="names and wordings to draw from")
    show.add_argument("--facts", type=int, default=4, help=f"facts of a note, 1 to {MOST_FACTS} (default: 4)")
    show.add_argument("--filler", type=int, default=0, help="sentences without a fact (default: 0)")
    show.add_argument("--silent", type=int, default=1, help="questions the note does not answer (default: 1)")
    show.add_argument("--strangers", type=int, default=1, help="questions about other subjects (default: 1)")
    show.add_argument("--kind", help="kind of document (default: drawn)")
    show.add_argument("--notes", type=int, default=5, help="number of notes (default: 5)")
    arguments = parser.parse_args(argv)
    try:
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
    except TrainingError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
