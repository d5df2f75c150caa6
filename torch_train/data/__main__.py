"""`python -m torch_train.data`: rows from data sets and documents, needles, and questions for documents."""

from __future__ import annotations

import argparse
import math
import os
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mlx_hypernet.format import terminal
from torch_train.data import generate, niah, sampling
from torch_train.data.arguments import add_engine, engine, whole
from torch_train.data.compact import check_split, compact, hold_out, leaking
from torch_train.data.readers import READERS
from torch_train.data.reading import Reading, read
from torch_train.data.row import ContextRow, read_rows, write_rows
from torch_train.errors import DataError, TrainingError
from torch_train.model.fetching import fetch_base
from torch_train.model.tokenizer import count_tokens, load_tokenizer

SPLITS = ("train", "dev", "test")
NAMED = 5  # malformed rows that are named


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    terminal.guard()  # messages quote what a model folder says
    parser = _parser()
    options = parser.parse_args(arguments)
    # Before transformers is imported: it warns about keys that only mlx-lm reads.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        options.run(options)
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {' '.join(str(error).splitlines())}\n")
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error.filename or 'cannot write'}: {error.strerror or error}\n")
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: interrupted\n")


def prepare(options: argparse.Namespace) -> None:
    """Read sources into `train.parquet`, `dev.parquet` and `test.parquet`."""
    splits: dict[str, list[ContextRow]] = {}
    for split in SPLITS:
        rows: list[ContextRow] = []
        for argument in getattr(options, split):
            reading = read(argument, split, options.limit)
            _report(argument, split, reading)
            short = [row for row in reading.rows if len(row.context) <= (options.max_characters or math.inf)]
            if long := len(reading.rows) - len(short):
                print(f"  left out {long:,} contexts above {options.max_characters:,} characters")
            rows += short
        splits[split] = compact(rows)
    if options.dev_share:
        splits["train"], held = hold_out(splits["train"], options.dev_share)
        splits["dev"] = compact([*splits["dev"], *held])
    held = splits["dev"] + splits["test"]
    if options.drop_leaks:
        leaks = {row.id for row in leaking(splits["train"], held)}
        splits["train"] = [row for row in splits["train"] if row.id not in leaks]
        print(f"left {len(leaks):,} contexts of dev or test out of train")
    check_split(splits["train"], held)
    if not splits["train"] and not held:
        raise DataError("nothing to prepare: name a source after --train, --dev or --test")
    for split, rows in splits.items():
        write_rows(options.folder / f"{split}.parquet", rows)  # empty ones too: none may stay from an earlier run
        sources = Counter(row.source.partition("/")[0] for row in rows)
        told = ", ".join(f"{count:,} {source}" for source, count in sources.items()) or "none"
        print(f"{split}: {len(rows):,} contexts ({told}), {sum(len(row.questions) for row in rows):,} questions")


def sample(options: argparse.Namespace) -> None:
    """Write the questions that the paper's evaluation asks."""
    sources = [(argument, argument.partition("=")[0]) for argument in options.sources]
    readings = [read(argument, "test" if name in sampling.TESTED else "dev") for argument, name in sources]
    known = [sampling.records(reading.rows) for reading in readings]
    chosen = sampling.drawn(list(map(len, known)), options.count, options.seed)
    rows = compact(some[i] for some, indices in zip(known, chosen, strict=True) for i in indices)
    write_rows(options.file, rows)
    for (argument, _), reading, some, indices in zip(sources, readings, known, chosen, strict=True):
        _report(argument, "dev", reading)
        print(f"  {len(indices):,} of {len(some):,} questions")
    print(f"{options.file}: {len(rows):,} contexts, {sum(len(row.questions) for row in rows):,} questions")


def needles(options: argparse.Namespace) -> None:
    """Write needles in haystacks."""
    named = Path(options.tokenizer)
    tokenizer = load_tokenizer(named if named.is_dir() else fetch_base(options.tokenizer))

    count = partial(count_tokens, tokenizer)
    if options.lengths:
        rows = niah.grid(options.lengths, options.depths, options.rows, count, options.seed, options.question)
    else:
        lengths = (options.shortest, options.longest)
        rows = niah.scattered(options.rows, *lengths, count, options.seed, options.question)
    written = compact(rows)
    write_rows(options.file, written)
    print(f"{len(written):,} needles")


def questions(options: argparse.Namespace) -> None:
    """Let a language model write questions."""
    rows = read_rows(options.rows)[: options.limit]
    model = fetch_base(options.model)
    start_engine, name = engine(options, model)
    settings = generate.QuestionSettings(
        prompts=tuple(options.prompts),
        count=options.count,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        rows_per_shard=options.rows_per_shard,
        seed=options.seed,
    )
    tokenizer = load_tokenizer(model)
    asked, without = generate.write_questions(rows, start_engine, tokenizer, model, options.folder, settings, name)
    print(f"{asked:,} documents with questions, {without:,} left out for having none or being too long")


def _report(argument: str, split: str, reading: Reading) -> None:
    print(f"{split} {argument}: {len(reading.rows):,} of {reading.total:,} rows")
    for line in reading.bad[:NAMED]:
        print(f"  left out {line}")
    if len(reading.bad) > NAMED:
        print(f"  and {len(reading.bad) - NAMED} more")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m torch_train.data", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("prepare", help="read sources into train, dev and test")
    command.set_defaults(run=prepare)
    command.add_argument("folder", type=Path, help="where train.parquet, dev.parquet and test.parquet go")
    for split in SPLITS:
        command.add_argument(
            f"--{split}",
            nargs="+",
            default=[],
            metavar="SOURCE[=FILE]",
            help=f"{', '.join(READERS)}; from the hub, or from FILE: published JSON, JSONL, parquet, folder of parquet",
        )
    command.add_argument("--limit", type=whole(1), help="read no more records than this from each source")
    command.add_argument("--max-characters", type=whole(1), help="leave longer contexts out")
    command.add_argument("--dev-share", type=float, default=0.0, help="move this share of the contexts of train to dev")
    command.add_argument("--drop-leaks", action="store_true", help="leave contexts of dev and test out of train")

    command = commands.add_parser("sample", help="draw the questions that the paper's evaluation asks")
    command.set_defaults(run=sample)
    command.add_argument("file", type=Path, help="parquet file to write, for python -m torch_train.evaluate")
    command.add_argument("sources", nargs="+", metavar="SOURCE[=FILE]", help=f"in this order, as the paper: "
                         f"{' '.join(sampling.SOURCES)}")  # fmt: skip
    command.add_argument("--count", type=whole(1), default=sampling.COUNT, help="questions of each (%(default)s)")
    command.add_argument("--seed", type=int, default=sampling.SEED, help="of the permutation (%(default)s)")

    command = commands.add_parser("niah", help="write needles in haystacks")
    command.set_defaults(run=needles)
    command.add_argument("file", type=Path, help="parquet file to write; read it with own=FILE")
    command.add_argument("--tokenizer", required=True, help="folder of the base, or its name on the hub: counts tokens")
    command.add_argument(
        "--rows", type=whole(1), default=1000, help="rows; with --lengths, rows per cell (%(default)s)"
    )
    command.add_argument("--shortest", type=whole(1), default=32, help="tokens of the shortest context (%(default)s)")
    command.add_argument("--longest", type=whole(1), default=256, help="tokens of the longest (%(default)s)")
    command.add_argument("--question", default=niah.QUESTION, help="what is asked (%(default)s)")
    command.add_argument("--lengths", type=whole(1), nargs="+", help="a grid of these lengths and of --depths instead")
    command.add_argument("--depths", type=whole(1), default=11, help="evenly spaced depths of the grid (%(default)s)")
    command.add_argument("--seed", type=int, default=0)

    defaults = generate.QuestionSettings()
    command = commands.add_parser("questions", help="let a language model write questions for documents")
    command.set_defaults(run=questions)
    command.add_argument("rows", type=Path, help="documents, as prepare writes them")
    command.add_argument("folder", type=Path, help="folder of the shards; read them with own=FOLDER")
    command.add_argument("--model", required=True, help="folder of the language model, or its name on the hub")
    command.add_argument("--prompts", nargs="+", default=list(defaults.prompts),
                         help=f"{', '.join(generate.PROMPTS)}, or paths (questions)")  # fmt: skip
    command.add_argument("--count", type=int, default=defaults.count, help="questions per prompt (%(default)s)")
    command.add_argument("--max-tokens", type=int, default=defaults.max_tokens, help="tokens per answer (%(default)s)")
    command.add_argument("--temperature", type=float, default=defaults.temperature, help="(%(default)s)")
    command.add_argument("--rows-per-shard", type=int, default=defaults.rows_per_shard, help="(%(default)s)")
    command.add_argument("--seed", type=int, default=defaults.seed)
    add_engine(command, "the model")
    command.add_argument("--limit", type=whole(1), help="take the first LIMIT documents only")
    return parser


if __name__ == "__main__":
    main()
