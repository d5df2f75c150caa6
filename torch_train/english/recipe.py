"""`python -m torch_train.english.recipe FOLDER --base BASE`: train the hypernetwork of smol; a killed run resumes.

Each lesson starts from the checkpoint of the one before: its contexts are drawn, then the trainer runs. docs/LOG.md has
the curves that led to these numbers.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from torch_train.english.leaks import check
from torch_train.english.lesson_data import material, prepare, read_passages
from torch_train.english.lessons import LESSONS, Lesson
from torch_train.english.passages import Passage
from torch_train.errors import TrainingError
from torch_train.training import checkpoint
from torch_train.training.heap import keep_freed_memory
from torch_train.training.settings import TrainingSettings, read_settings
from torch_train.training.train import train

CONFIG = Path(__file__).parents[1] / "configs" / "smol.yaml"


def run(
    folder: Path,
    base: Path,
    passages: Sequence[Passage] = (),
    start: Path | None = None,
    overrides: Sequence[str] = (),
) -> bool:
    """Go through the lessons, from wherever an earlier run stopped.

    Args:
        folder: Of the data and checkpoints of all lessons.
        base: Folder of SmolLM2-135M-Instruct in transformers' layout.
        passages: Real passages of all splits; without any, all contexts are notes.
        start: Training checkpoint to start the first lesson from; None starts from nothing.
        overrides: `section.key=value` for the trainer's settings.

    Returns:
        False where SIGTERM ended the run before its last step.

    Raises:
        TrainingError: With a message that says what to change.
    """
    check(passages)
    given = material(folder, base, passages)
    for lesson in LESSONS:
        place = folder / lesson.name
        prepare(place, base, lesson, given)
        settings = lesson_settings(place, base, lesson, place / "run", start, overrides)
        print(f"lesson {lesson.name}", flush=True)
        if not train(settings):
            return False
        start = checkpoint.checkpoints(place / "run")[-1]
    return True


def lesson_settings(
    place: Path, base: Path, lesson: Lesson, folder: Path, start: Path | None, overrides: Sequence[str]
) -> TrainingSettings:
    """The trainer's settings of a lesson.

    Args:
        place: Folder with its contexts.
        base: Folder of the base.
        lesson: The lesson.
        folder: Folder of the run.
        start: Training checkpoint to start from; None for weights that the seed draws.
        overrides: `section.key=value`, which win.
    """
    first, last = lesson.rates
    return read_settings(
        CONFIG,
        [
            f"base.path={base}",
            f"data.teacher=[{place / 'train'}]",
            f"data.dev=[{place / 'dev'}]",
            f"optimizer.steps={lesson.steps}",
            f"optimizer.learning_rate={first}",
            f"optimizer.final_learning_rate={last}",
            f"optimizer.decision={lesson.decision}",
            f"packing.compose={lesson.compose}",
            f"run.folder={folder}",
            *([] if start is None else [f"hypernet.start={start}"]),
            *overrides,
        ],
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.english.recipe", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the run; an interrupted one resumes")
    parser.add_argument("--base", type=Path, required=True, help="folder of SmolLM2-135M-Instruct")
    parser.add_argument("--passages", type=Path, help="JSONL of `python -m torch_train.english passages`")
    parser.add_argument("--start", type=Path, help="checkpoint to start from (`convert-weights --to-torch`)")
    parser.add_argument("overrides", nargs="*", help="section.key=value, settings of the trainer")
    options = parser.parse_intermixed_args(arguments)
    try:
        finished = run(options.folder, options.base, read_passages(options.passages), options.start, options.overrides)
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    if not finished:
        parser.exit(1, f"{parser.prog}: stopped; the same command resumes\n")


if __name__ == "__main__":
    keep_freed_memory()
    main()
