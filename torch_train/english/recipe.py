"""`python -m torch_train.english.recipe FOLDER --base BASE`: train the hypernetwork of smol; a killed run resumes.

Lessons of growing difficulty, each from the checkpoint of the one before: its notes are drawn, then the trainer runs.
docs/LOG.md has the curves that led to these numbers.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from torch_train.english.leaks import check
from torch_train.english.notes import English
from torch_train.english.split import Split
from torch_train.english.teacher import Asked, teach
from torch_train.errors import TrainingError
from torch_train.training import checkpoint
from torch_train.training.settings import read_settings
from torch_train.training.train import train

CONFIG = Path(__file__).parents[1] / "configs" / "smol.yaml"
DEV_CONTEXTS = 256
# Asks for the context itself: so dense a signal that the plateau at the beginning ends soon.
RECITE = ("Repeat the document.", "Repeat the document word for word.", "Quote the document in full.")


@dataclass(frozen=True)
class Lesson:
    """One stage of the curriculum.

    Attributes:
        name: Folder of the stage.
        contexts: Number of notes; the trainer repeats them where there are more steps.
        facts: Fewest and most facts of a note.
        asked: Most questions about a note's facts.
        recite: Share of notes that are also to be recited.
        unknown: Share of notes with one question more that they do not answer: half about their subject, half about
            a stranger.
        filler: Most sentences without a fact.
        steps: Updates of the hypernetwork.
        rates: Learning rate at the beginning and at the end.
        compose: Probability that a note is absorbed together with the one before it.
    """

    name: str
    contexts: int
    facts: tuple[int, int]
    asked: int
    recite: float
    unknown: float
    filler: int
    steps: int
    rates: tuple[float, float]
    compose: float = 0.0


LESSONS = (
    Lesson("one", 24_576, (1, 1), 1, 1.0, 0.0, 0, 1_100, (1.5e-3, 1.2e-3)),
    Lesson("few", 32_768, (1, 3), 2, 0.7, 0.2, 0, 2_000, (1.5e-3, 1.0e-3)),
    Lesson("notes", 65_536, (1, 8), 4, 0.4, 0.4, 2, 6_000, (1.2e-3, 5e-4), 0.1),
    Lesson("last", 65_536, (1, 12), 6, 0.2, 0.6, 3, 6_000, (1e-3, 0.0), 0.2),
)


def draw(lesson: Lesson, split: Split, shard: int, count: int) -> list[Asked]:
    """The notes of one shard of a lesson, with what is asked about them."""
    seed = f"{lesson.name}-{shard}"
    english, chance = English(seed, split), random.Random(f"asked-{seed}-{split}")
    contexts = []
    for _ in range(count):
        unknown = chance.random() < lesson.unknown
        stranger = unknown and chance.random() < 0.5
        note = english.note(
            chance.randint(*lesson.facts),
            filler=chance.randint(0, lesson.filler),
            silent=unknown and not stranger,
            strangers=stranger,
        )
        known = [question for question in note.questions if question.known]
        asked = chance.sample(known, min(lesson.asked, len(known)))
        asked += [question for question in note.questions if not question.known]
        questions = [(question.text, question.answer, question.known) for question in asked]
        if chance.random() < lesson.recite:
            questions.append((chance.choice(RECITE), note.text, True))
        contexts.append(Asked(note.text, tuple(questions), f"English notes, {split}"))
    return contexts


def run(folder: Path, base: Path, overrides: Sequence[str] = ()) -> bool:
    """Go through the lessons, from wherever an earlier run stopped.

    Args:
        folder: Of the data and checkpoints of all lessons.
        base: Folder of SmolLM2-135M-Instruct in transformers' layout.
        overrides: `section.key=value` for the trainer's settings.

    Returns:
        False where SIGTERM ended the run before its last step.

    Raises:
        TrainingError: With a message that says what to change.
    """
    check()
    start: Path | None = None
    for lesson in LESSONS:
        place = folder / lesson.name
        for split, contexts in (("train", lesson.contexts), ("dev", DEV_CONTEXTS)):
            settings = {"lesson": asdict(lesson), "split": split}
            teach(place / split, base, contexts, settings, partial(draw, lesson, split))
        first, last = lesson.rates
        settings = read_settings(
            CONFIG,
            [
                f"base.path={base}",
                f"data.teacher=[{place / 'train'}]",
                f"data.dev=[{place / 'dev'}]",
                f"optimizer.steps={lesson.steps}",
                f"optimizer.learning_rate={first}",
                f"optimizer.final_learning_rate={last}",
                f"packing.compose={lesson.compose}",
                f"run.folder={place / 'run'}",
                *([] if start is None else [f"hypernet.start={start}"]),
                *overrides,
            ],
        )
        print(f"lesson {lesson.name}", flush=True)
        if not train(settings):
            return False
        start = checkpoint.checkpoints(place / "run")[-1]
    return True


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.english.recipe", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the run; an interrupted one resumes")
    parser.add_argument("--base", type=Path, required=True, help="folder of SmolLM2-135M-Instruct")
    parser.add_argument("overrides", nargs="*", help="section.key=value, settings of the trainer")
    options = parser.parse_intermixed_args(arguments)
    try:
        finished = run(options.folder, options.base, options.overrides)
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    if not finished:
        parser.exit(1, f"{parser.prog}: stopped; the same command resumes\n")


if __name__ == "__main__":
    main()
