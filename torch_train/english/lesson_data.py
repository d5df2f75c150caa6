"""`python -m torch_train.english.lesson_data FOLDER LESSONS`: the contexts of lessons, made by several processes.

A training calls `prepare` itself, or lets this command make the later lessons while it trains on the first.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch

from mlx_hypernet.format.atomic import write_json
from torch_train.data.shards import MANIFEST, Shards
from torch_train.english.lessons import Lesson, Material, draw
from torch_train.english.nothing import prompts_of
from torch_train.english.passages import Passage, read_written, with_strangers
from torch_train.english.split import Split
from torch_train.english.teacher import Asked, teach
from torch_train.errors import TrainingError
from torch_train.model.base import fast_dtype
from torch_train.model.generation import open_engine
from torch_train.model.prompt import question_ids
from torch_train.model.tokenizer import load_tokenizer

DEV_CONTEXTS = 256
ANSWER_TOKENS = 48  # of the base to a prompt about nothing; longer answers are left out
SPLITS: tuple[Split, ...] = ("train", "dev")

_MATERIAL: dict[Split, Material] = {}  # of a process of `pool`, which reads it once


def material(folder: Path, base: Path, passages: Sequence[Passage]) -> dict[Split, Material]:
    """What lessons draw from; the base answers prompts about nothing where `folder` does not have its answers yet."""
    return {
        split: Material(
            with_strangers([passage for passage in passages if passage.split == split], "lessons"),
            _nothing(folder / f"nothing-{split}.json", base, split),
        )
        for split in SPLITS
    }


def prepare(
    place: Path, base: Path, lesson: Lesson, given: dict[Split, Material], workers: Executor | None = None
) -> None:
    """Write the contexts of a lesson; those that are there already are kept.

    Args:
        place: Folder of the lesson.
        base: Folder of the base.
        lesson: The lesson.
        given: What it draws from, by split.
        workers: Processes of `pool`; None for this process.
    """
    sizes: dict[Split, int] = {"train": lesson.contexts, "dev": DEV_CONTEXTS}
    for split in ("dev", "train"):
        made_from = {
            "lesson": lesson.drawn,
            "split": split,
            "passages": len(given[split].passages),
            "nothing": len(given[split].nothing),
        }
        drawn = partial(_draw, lesson, split) if workers else partial(draw, lesson, split, given[split])
        teach(place / split, base, sizes[split], made_from, drawn, workers)


def pool(processes: int, folder: Path, base: Path, passages: Path | None) -> ProcessPoolExecutor:
    """Processes that make contexts; each reads the passages once.

    Spawned, since a process that has used CUDA cannot be forked.
    """
    return ProcessPoolExecutor(processes, get_context("spawn"), _begin, (folder, base, passages))


def is_ready(place: Path) -> bool:
    """Whether all contexts of a lesson are there."""
    return all((place / split / MANIFEST).exists() and not _missing(place / split) for split in SPLITS)


def read_passages(path: Path | None) -> list[Passage]:
    """Passages that `python -m torch_train.english passages` wrote; none without a file."""
    return [] if path is None else read_written(path)


def _missing(folder: Path) -> list[int]:
    return Shards(folder, json.loads((folder / MANIFEST).read_text("utf-8"))).missing()


def _begin(folder: Path, base: Path, passages: Path | None) -> None:
    torch.set_num_threads(1)
    _MATERIAL.update(material(folder, base, read_passages(passages)))


def _draw(lesson: Lesson, split: Split, shard: int, count: int) -> list[Asked]:
    return draw(lesson, split, _MATERIAL[split], shard, count)


def _nothing(path: Path, base: Path, split: Split) -> list[tuple[str, str]]:
    """Prompts about nothing with the base's own answers; generated once, then kept in `path`."""
    if not path.exists():
        prompts, tokenizer = prompts_of(split), load_tokenizer(base)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        engine = open_engine("transformers", base, device, fast_dtype(torch.device(device)), batch_size=16)
        written = engine.generate([question_ids(tokenizer, prompt) for prompt in prompts], ANSWER_TOKENS)
        answers = [
            (prompt, tokenizer.decode(answer.ids, skip_special_tokens=True).strip())
            for prompt, answer in zip(prompts, written, strict=True)
            if answer.finished
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"answers": answers})
    return [(prompt, answer) for prompt, answer in json.loads(path.read_text("utf-8"))["answers"]]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.english.lesson_data", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the run")
    parser.add_argument("lessons", type=Path, help="JSON: a list of lessons, the first one needed first")
    parser.add_argument("--base", type=Path, required=True, help="folder of SmolLM2-135M-Instruct")
    parser.add_argument("--passages", type=Path, help="JSONL of `python -m torch_train.english passages`")
    parser.add_argument(
        "--workers", type=int, default=max(1, (os.cpu_count() or 1) - 4), help="processes (%(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        lessons = [lesson_of(one) for one in json.loads(options.lessons.read_text("utf-8"))]
        given = material(options.folder, options.base, read_passages(options.passages))
        with pool(options.workers, options.folder, options.base, options.passages) as workers:
            for lesson in lessons:
                prepare(options.folder / lesson.name, options.base, lesson, given, workers)
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


def lesson_of(data: dict[str, object]) -> Lesson:
    """A lesson from JSON, which makes lists of tuples."""
    return Lesson(**{key: tuple(value) if isinstance(value, list) else value for key, value in data.items()})  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
