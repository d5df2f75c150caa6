"""Documents that nano never met, and the questions of `knowledge.py` about them, each drawn from a fixed seed.

No two notes of a row speak of the same entity: a question must have one answer among all documents. Names may still
occur as values elsewhere ("lives in Belwick"), and people share first and last names, as they do.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

from torch_train.nano.haystack import NEEDLE, NEEDLE_QUESTIONS
from torch_train.nano.language import UNKNOWN, Language, Note

SEED = 20_261_124
FACTS = 4
SECTION_TOKENS = 256
_TOKENS_PER_SENTENCE = 12
_PARAGRAPH_SENTENCES = 8
# Absorbing costs time by tokens: a cell of the needles' table has fewer documents where they are long.
_CELL_TOKENS, _QUESTIONS_PER_DOCUMENT = 65_536, 30
_ENTITY = re.compile(r"(?<=\s)[A-Z]\w+(?: [A-Z]\w+)*")


@dataclass(frozen=True)
class Trial:
    """One question.

    Attributes:
        documents: the texts that are active.
        holder: which of them has the answer, None: none has.
        question: the question.
        answer: the exact answer.
    """

    documents: tuple[str, ...]
    holder: int | None
    question: str
    answer: str


Trials = Callable[[int], list[Trial]]


def several(count: int) -> Trials:
    """Notes of four facts, `count` of them active at a time."""

    def draw(questions: int) -> list[Trial]:
        trials = [
            Trial(texts, place, question.text, question.answer)
            for group in _groups(count, questions)
            for texts in [tuple(note.text for note in group)]
            for place, note in enumerate(group)
            for question in note.questions
        ]
        return _spread(trials, questions)

    return draw


def silent(count: int) -> Trials:
    """Questions about entities that none of `count` active notes mentions."""

    def draw(questions: int) -> list[Trial]:
        groups = _groups(count, questions)
        fresh = islice(_distinct(FACTS), sum(map(len, groups)), None)
        asked = [question.text for note in islice(fresh, -(-questions // FACTS)) for question in note.questions]
        return [
            Trial(tuple(note.text for note in groups[i % len(groups)]), None, text, UNKNOWN)
            for i, text in enumerate(asked[:questions])
        ]

    return draw


def long(tokens: int) -> Trials:
    """One document of about `tokens` tokens, four facts in each 256 of them, the rest filler."""
    sections = max(1, tokens // SECTION_TOKENS)
    facts = max(1, FACTS * tokens // (SECTION_TOKENS * sections))
    filler = tokens // sections // _TOKENS_PER_SENTENCE - facts

    def draw(questions: int) -> list[Trial]:
        notes = _distinct(facts, filler)
        trials = []
        while len(trials) < questions:
            part = list(islice(notes, sections))
            text = "\n\n".join(note.text for note in part)
            trials += [Trial((text,), 0, asked.text, asked.answer) for note in part for asked in note.questions]
        return _spread(trials, questions)

    return draw


def needle(tokens: int, depth: float) -> Trials:
    """A number at a depth (0: the begin, 1: the end) of about `tokens` tokens of filler."""

    def draw(questions: int) -> list[Trial]:
        language, numbers = Language(f"{SEED}-{tokens}-{depth}", "test"), random.Random(f"{SEED}-{tokens}-{depth}")
        trials = []
        for _ in range(max(2, min(questions // _QUESTIONS_PER_DOCUMENT, _CELL_TOKENS // tokens))):
            number = str(numbers.randint(1000, 9999))
            sentences = [language.filler() for _ in range(tokens // _TOKENS_PER_SENTENCE)]
            sentences.insert(round(depth * len(sentences)), NEEDLE.format(v=number))
            starts = range(0, len(sentences), _PARAGRAPH_SENTENCES)
            text = "\n\n".join(" ".join(sentences[start : start + _PARAGRAPH_SENTENCES]) for start in starts)
            trials += [Trial((text,), 0, question, number) for question in NEEDLE_QUESTIONS]
        return trials

    return draw


@cache
def _notes(count: int) -> tuple[Note, ...]:
    """The same notes for every row, so that each is absorbed once."""
    return tuple(islice(_distinct(FACTS), count))


def _groups(count: int, questions: int) -> list[tuple[Note, ...]]:
    groups = -(-questions // (FACTS * count))
    notes = _notes(groups * count)
    return [notes[start : start + count] for start in range(0, len(notes), count)]


def _distinct(facts: int, filler: int | None = None) -> Iterator[Note]:
    """Notes that share no entity; with 0 to 2 filler sentences if not told."""
    language, seen = Language(f"{SEED}-{facts}-{filler}", "test"), set[str]()
    number = 0
    while True:
        note = language.note(facts, number % 3 if filler is None else filler, unanswerable=0)
        entities = {entity for question in note.questions for entity in _ENTITY.findall(question.text)}
        if not entities & seen:
            seen |= entities
            number += 1
            yield note


def _spread(trials: list[Trial], count: int) -> list[Trial]:
    """`count` of them, evenly spread."""
    return [trials[i * len(trials) // count] for i in range(min(count, len(trials)))]
