"""The lessons of smol's hypernetwork: which contexts each of them reads, and what it asks about them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch_train.english.notes import English
from torch_train.english.passages import Passage
from torch_train.english.split import Split
from torch_train.english.teacher import Asked

# Fields of a lesson that say how to train on its contexts, and not what is in them.
_TRAINING = ("steps", "rates", "compose", "decision")
# Asks for the context itself: so dense a signal that the plateau at the beginning ends soon.
RECITE = ("Repeat the document.", "Repeat the document word for word.", "Quote the document in full.")


@dataclass(frozen=True)
class Lesson:
    """One stage of the curriculum.

    Attributes:
        name: Folder of the stage.
        contexts: Number of contexts; the trainer repeats them where there are more steps.
        facts: Fewest and most facts of a note.
        asked: Most questions about a context.
        recite: Share of notes that are also to be recited.
        unknown: Share of notes with two questions more that they do not answer: one about their subject, one about a
            stranger.
        filler: Most sentences of a note without a fact.
        steps: Updates of the hypernetwork.
        rates: Learning rate at the beginning and at the end.
        passages: Share of contexts that are real passages, where there are some.
        nothing: Share of contexts with one prompt more that no document is about.
        compose: Probability that a context is absorbed together with the one before it.
        decision: How much the first token of each answer counts besides: whether it is a refusal is told by it alone.
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
    passages: float = 0.0
    nothing: float = 0.0
    compose: float = 0.0
    decision: float = 0.0

    @property
    def drawn(self) -> dict[str, Any]:
        """What its contexts depend on: another schedule leaves them as they are."""
        return {name: value for name, value in asdict(self).items() if name not in _TRAINING}


LESSONS = (
    Lesson("one", 24_576, (1, 1), 1, 1.0, 0.0, 0, 1_100, (1.5e-3, 1.2e-3)),
    Lesson("few", 32_768, (1, 3), 2, 0.7, 0.2, 0, 2_000, (1.5e-3, 5e-4), nothing=0.05, decision=1.0),
    Lesson("copy", 24_576, (1, 4), 3, 0.35, 0.25, 1, 1_174, (1.3e-3, 0.0),
           passages=0.3, nothing=0.05, compose=0.15, decision=1.0),
    # A chunk is asked by itself (thoth/engine/contest.py): it has few facts, and most questions are not about it.
    Lesson("each", 24_576, (1, 3), 3, 0.4, 0.6, 1, 1_400, (1.2e-3, 0.0),
           passages=0.25, nothing=0.2, compose=0.1, decision=1.0),
    # What no chunk answers is told by the matcher (matching.py): fewer refusals, more real passages, each chunk alone.
    Lesson("last", 24_576, (1, 3), 3, 0.4, 0.3, 1, 741, (1e-3, 0.0), passages=0.35, nothing=0.1, decision=1.0),
)  # fmt: skip


@dataclass(frozen=True)
class Material:
    """What lessons draw from besides the generator of notes.

    Attributes:
        passages: Real passages of one split, each with its questions.
        nothing: Prompts that no document is about, and what the base answers to them.
    """

    passages: Sequence[Passage] = ()
    nothing: Sequence[tuple[str, str]] = ()


def draw(lesson: Lesson, split: Split, material: Material, shard: int, count: int) -> list[Asked]:
    """The contexts of one shard of a lesson, with what is asked about them; the same for the same arguments."""
    seed = f"{lesson.name}-{shard}"
    english, chance = English(seed, split), random.Random(f"asked-{seed}-{split}")
    contexts = []
    for _ in range(count):
        if material.passages and chance.random() < lesson.passages:
            asked = _passage(lesson, chance.choice(material.passages), chance)
        else:
            asked = _note(lesson, english, split, chance)
        if material.nothing and chance.random() < lesson.nothing:
            prompt, answer = chance.choice(material.nothing)
            asked = Asked(asked.text, (*asked.questions, (prompt, answer, False)), asked.source)
        contexts.append(asked)
    return contexts


def _note(lesson: Lesson, english: English, split: Split, chance: random.Random) -> Asked:
    unknown = chance.random() < lesson.unknown
    note = english.note(
        chance.randint(*lesson.facts),
        filler=chance.randint(0, lesson.filler),
        silent=int(unknown),
        strangers=int(unknown),
    )
    known = [question for question in note.questions if question.known]
    asked = chance.sample(known, min(lesson.asked, len(known)))
    asked += [question for question in note.questions if not question.known]
    questions = [(question.text, question.answer, question.known) for question in asked]
    if chance.random() < lesson.recite:
        questions.append((chance.choice(RECITE), note.text, True))
    return Asked(note.text, tuple(questions), f"English notes, {split}")


def _passage(lesson: Lesson, passage: Passage, chance: random.Random) -> Asked:
    asked = chance.sample(passage.questions, min(lesson.asked, len(passage.questions)))
    questions = tuple((question.text, question.answer, question.known) for question in asked)
    return Asked(passage.text, questions, passage.source)
