"""`python -m torch_train.evaluate CHECKPOINT ROWS FOLDER`: what a base answers without, beside and with its document.

The command line of `evaluation/`; read `evaluation/evaluate.py` first.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from mlx_hypernet.format.atomic import replacing
from torch_train.data.arguments import device, whole, wholes
from torch_train.data.row import read_rows
from torch_train.errors import DataError, TrainingError
from torch_train.evaluation import published, report
from torch_train.evaluation.absorbed import AbsorbingModel
from torch_train.evaluation.evaluate import Answered, evaluate, needles
from torch_train.model.base import DTYPES
from torch_train.model.tokenizer import count_tokens


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
    parser.add_argument("--asked", choices=("plain", "paper"), default="plain",
                        help="paper: questions ask for the answer alone, as in the paper (%(default)s)")  # fmt: skip
    parser.add_argument("--max-chunk-tokens", type=whole(1), help="longest chunk (as the checkpoint was trained)")
    parser.add_argument("--batch-size", type=whole(1), default=16, help="prompts at once (%(default)s)")
    here = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", type=device, default=here, help="device to run on (%(default)s)")
    parser.add_argument("--dtype", choices=tuple(DTYPES), help="dtype of the base (bfloat16 on CUDA, else float32)")
    parser.add_argument("--seed", type=int, default=0, help="seed of unrelated questions and needles (%(default)s)")
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
    model = AbsorbingModel(options.checkpoint, options.base, place, dtype, options.batch_size, options.max_chunk_tokens)

    def count(text: str) -> int:
        return count_tokens(model.tokenizer, text)

    rows += needles(options.needles, options.depths, options.per_cell, count, options.seed)
    if not any(any(row.answers) for row in rows):
        raise DataError(f"{options.rows} has no question with a reference answer: there is nothing to compare with")
    answered: list[Answered] = []
    way = {"asked_as": published.asked} if options.asked == "paper" else {}
    for one in evaluate(model, rows, options.max_answer_tokens, options.unrelated, options.seed, **way):
        if answered and answered[-1].id != one.id and sys.stderr.isatty():
            print(f"\r{len(answered):,} questions", end="", file=sys.stderr, flush=True)
        answered.append(one)
    with replacing(options.folder / "answers.jsonl") as partial:
        partial.write_text("".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in answered), "utf-8")
    about = {"checkpoint": str(options.checkpoint), "rows": str(options.rows), "base": str(model.base_folder)}
    about |= {"asked": options.asked, "longest answer": f"{options.max_answer_tokens} tokens"}
    report.write(options.folder, report.summarise(answered), about)
    print((options.folder / "report.md").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    sys.exit(main())
