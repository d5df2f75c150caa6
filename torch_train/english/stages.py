"""The curriculum of a training by the clock: lessons, their share of the time, and the size of a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch_train.english.lessons import LESSONS, Lesson

# A run by the clock ends before this many steps.
_STEPS = 10_000_000
_SMALLEST, _ROUND = 256, 256  # contexts of a lesson


@dataclass(frozen=True)
class Pace:
    """What a machine can do.

    Attributes:
        notes: Notes a second that a lesson's contexts are made for; they repeat where training is faster.
        tokens: Largest number of tokens of a batch.
        every: Steps between checkpoints, between losses on unseen notes, and between lines of the log: each checkpoint
            of 236 MB costs a second or two.
    """

    notes: float
    tokens: int
    every: tuple[int, int, int]


PACES = {"cuda": Pace(1500, 65_536, (500, 200, 20)), "cpu": Pace(1, 1280, (20, 20, 1))}


@dataclass(frozen=True)
class Stage:
    """A lesson of a training by the clock.

    Attributes:
        lesson: What it reads and asks, its steps without a bound.
        share: Part of the time.
        tokens: Of a batch, of contexts and of inputs: 16,384 are 210 notes of one fact.
    """

    lesson: Lesson
    share: float
    tokens: int


# Larger steps than on a CPU (16 notes), so a rate a third higher; Muon took 2e-3 at 24 notes a step (docs/LOG.md).
# The first lesson is short: content flows after some 100 steps, whatever their size.
_PLAN = (
    ("one", 0.12, 16_384, 49_152, (2e-3, 2e-3)),
    ("few", 0.12, 16_384, 65_536, (2e-3, 1.5e-3)),
    ("copy", 0.24, 16_384, 98_304, (1.5e-3, 1.2e-3)),
    ("each", 0.26, 32_768, 131_072, (1.2e-3, 8e-4)),
    ("last", 0.26, 32_768, 131_072, (8e-4, 0.0)),
)


def stages(further: int = 0) -> list[Stage]:
    """The stages of a training, and so many further rounds of the last one, for leases after the first."""
    lessons = {lesson.name: lesson for lesson in LESSONS}
    planned = [
        Stage(replace(lessons[name], contexts=contexts, steps=_STEPS, rates=rates), share, tokens)
        for name, share, tokens, contexts, rates in _PLAN
    ]
    last = planned[-1]
    for number in range(1, further + 1):
        planned.append(replace(last, lesson=replace(last.lesson, name=f"more-{number}", rates=(6e-4, 0.0)), share=1.0))
    return planned


def contexts_for(stage: Stage, seconds: float, pace: Pace) -> int:
    """How many contexts a stage of so many seconds needs, at most as many as it may have."""
    wanted = -(-int(seconds * pace.notes) // _ROUND) * _ROUND
    return max(_SMALLEST, min(stage.lesson.contexts, wanted))


def seconds_of(stages: Sequence[Stage], done: Sequence[float], seconds: float) -> list[float]:
    """The time of each stage, from the time left for all of them.

    Args:
        stages: The stages.
        done: Share of each that is done, 0 to 1.
        seconds: Time left.
    """
    weights = [stage.share * (1 - one) for stage, one in zip(stages, done, strict=True)]
    return [seconds * weight / (sum(weights) or 1) for weight in weights]
