"""One lesson by the clock, with a second and third try: out of memory halves the batch, a broken loss the rate.

A try that fails costs seconds of a lease; a run that ends costs the lease. Each try has a folder of its own,
`run-1`, `run-2`, ..., and starts from the last checkpoint of the one before.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from mlx_hypernet.format.atomic import write_json
from torch_train.english.recipe import lesson_settings
from torch_train.english.stages import Stage
from torch_train.errors import BrokenLossError, TrainingError
from torch_train.first_hour.ceilings import free
from torch_train.training import checkpoint
from torch_train.training.settings import TrainingSettings
from torch_train.training.train import train

TRIES = 3
_FILE = "attempt.json"


@dataclass(frozen=True)
class Attempt:
    """How a lesson is tried.

    Attributes:
        number: From 1.
        tokens: Of a batch.
        rate: Factor of the learning rates.
        start: Checkpoint to start from; None for the weights that the settings draw.
    """

    number: int
    tokens: int
    rate: float
    start: str | None


def train_stage(
    place: Path, base: Path, stage: Stage, minutes: float, start: Path | None, overrides: list[str]
) -> bool:
    """Train one lesson, or what is left of it.

    Args:
        place: Folder of the lesson, with its contexts.
        base: Folder of the base.
        stage: The lesson.
        minutes: Time for it.
        start: Checkpoint that a lesson starts from which has not begun.
        overrides: `section.key=value` for the trainer's settings.

    Returns:
        False where SIGTERM ended it before its time.

    Raises:
        TrainingError: It failed in a way that smaller steps do not mend, or too often.
    """
    until = time.monotonic() + 60 * minutes
    attempt = _last_attempt(place) or Attempt(1, stage.tokens, 1.0, None if start is None else str(start))
    while True:
        write_json(place / f"run-{attempt.number}" / _FILE, asdict(attempt))
        left = max(0.02, (until - time.monotonic()) / 60)
        free()  # what an earlier lesson, or an earlier try, had on the device
        try:
            return train(_settings(place, base, stage, attempt, left, overrides))
        except TrainingError as error:
            attempt = _after(attempt, error, place)
            print(f"{error}\ntry {attempt.number}: batches of {attempt.tokens:,} tokens, "
                  f"{attempt.rate:g} times the learning rate", flush=True)  # fmt: skip


def _settings(
    place: Path, base: Path, stage: Stage, attempt: Attempt, minutes: float, overrides: list[str]
) -> TrainingSettings:
    first, last = stage.lesson.rates
    lesson = replace(stage.lesson, rates=(first * attempt.rate, last * attempt.rate))
    packing = [f"packing.context_tokens={attempt.tokens}", f"packing.input_tokens={attempt.tokens}"]
    start = None if attempt.start is None else Path(attempt.start)
    folder = place / f"run-{attempt.number}"
    return lesson_settings(place, base, lesson, folder, start, [*packing, f"run.minutes={minutes}", *overrides])


def _after(attempt: Attempt, error: TrainingError, place: Path) -> Attempt:
    """The next try.

    Raises:
        TrainingError: `error`, where another try is of no use.
    """
    if attempt.number == TRIES:
        raise error
    saved = checkpoint.checkpoints(place / f"run-{attempt.number}")
    start = str(saved[-1]) if saved else attempt.start
    following = replace(attempt, number=attempt.number + 1, start=start)
    if isinstance(error.__cause__, torch.OutOfMemoryError):
        return replace(following, tokens=attempt.tokens // 2)
    if isinstance(error, BrokenLossError):
        return replace(following, rate=attempt.rate / 2)
    raise error


def _last_attempt(place: Path) -> Attempt | None:
    found = sorted(place.glob(f"run-*/{_FILE}"))
    return Attempt(**json.loads(found[-1].read_text("utf-8"))) if found else None
