"""`python -m torch_train.teacher ROWS FOLDER --base BASE`: teacher data for rows.

A killed run resumes with the shards that are missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from torch_train.data.arguments import add_engine, engine, whole
from torch_train.data.row import read_rows
from torch_train.errors import TrainingError
from torch_train.model.fetching import fetch_base
from torch_train.model.tokenizer import load_tokenizer
from torch_train.teacher.teach import CLOSED_BOOK, REFUSAL, TeacherSettings, teach

# What the command line says about the settings, and allows.
_OPTIONS: dict[str, tuple[str, tuple[str, ...] | None]] = {
    "max_answer_tokens": ("answers are cut here", None),
    "max_context_tokens": ("longer documents are left out, and counted", None),
    "irrelevant_prob": ("how often a question of another context is asked besides each of a context's own", None),
    "irrelevant_target": (
        "target of these: what the base says with this context, or without any",
        (REFUSAL, CLOSED_BOOK),
    ),
    "rows_per_shard": ("contexts in a shard", None),
    "seed": ("of the choice of these questions", None),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    defaults = TeacherSettings()
    parser = argparse.ArgumentParser(
        prog="python -m torch_train.teacher",
        description="Let the base answer every question with its context in the window, and keep its top tokens.",
    )
    parser.add_argument("rows", type=Path, help="rows, as python -m torch_train.data writes them")
    parser.add_argument("folder", type=Path, help="folder of the shards; an interrupted one resumes")
    parser.add_argument("--base", required=True, help="folder of the base model, or its name on the hub")
    add_engine(parser, "the base")
    parser.add_argument("--limit", type=whole(1), help="take the first LIMIT rows only")
    for name, (told, choices) in _OPTIONS.items():
        default = getattr(defaults, name)
        flag = f"--{name.replace('_', '-')}"
        kind = type(default)
        parser.add_argument(flag, type=kind, default=default, choices=choices, help=f"{told} (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        _run(options, TeacherSettings(**{name: getattr(options, name) for name in asdict(defaults)}))
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error.filename or options.folder}: {error.strerror or error}\n")
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: interrupted; the same command resumes with the missing shards\n")


def _run(options: argparse.Namespace, settings: TeacherSettings) -> None:
    rows = read_rows(options.rows)[: options.limit]
    base = fetch_base(options.base)
    start_engine, name = engine(options, base)
    total = teach(rows, start_engine, load_tokenizer(base), base, options.folder, settings, name)
    for what, count in sorted(total.items()):
        print(f"{what:22} {count:>9,}")


if __name__ == "__main__":
    main()
