"""Nano's answers, right and wrong, from the ways in which it goes wrong; nothing was ever chosen on these notes.

| way | what is asked | documents, and what is attached |
|---|---|---|
| routed | facts of the notes, each worded three ways | 64, routed |
| mixed up | the same | 8, all of them |
| stranger | a fact of the notes, about a name that none has | 64, routed |
| missing | an attribute of nano's language that the note does not tell of its entity | 64, routed |
| wrong kind | what nano's language has no word for ("the baker of") | 64, routed |

The right answer to the last three is "I don't know.", so every other one is wrong. Half of the groups of 64 notes may
be looked at when a score or a threshold is chosen (`half` "chosen on"); the other half is held out.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from benchmarks.knowledge import Bench
from thoth.models.registry import Pair
from thoth.retrieval.routing import Routing
from torch_train.nano.language import _BY_KIND, UNKNOWN, Language, Note
from torch_train.nano.templates import ATTRIBUTES, Attribute

Way = Literal["routed", "mixed up", "stranger", "missing", "wrong kind"]
Half = Literal["chosen on", "held out"]

SEED = 20_261_129
GROUPS, GROUP, SMALL = 6, 64, 8  # groups of notes, notes in a group, notes attached at once where they are mixed up
WORDINGS = 3
AT_ONCE = 32  # questions

# Questions of other things than nano's language knows, by the kind of entity.
FOREIGN: dict[str, tuple[str, ...]] = {
    "person": (
        "Who is the brother of {e}?",
        "What is the shoe size of {e}?",
        "Who taught {e} to read?",
        "Which car does {e} drive?",
        "When did {e} die?",
    ),
    "organisation": (
        "Who is the lawyer of {e}?",
        "When was {e} sold?",
        "Which bank lends money to {e}?",
        "How many ships does {e} own?",
    ),
    "place": (
        "Who is the baker of {e}?",
        "Who is the priest of {e}?",
        "How many schools are there in {e}?",
        "When did {e} burn down?",
        "Which saint protects {e}?",
    ),
    "product": (
        "Who invented the {e}?",
        "How heavy is the {e}?",
        "Who repairs the {e}?",
        "When was the {e} forbidden?",
    ),
    "event": (
        "Who sang at the {e}?",
        "How much does a ticket for the {e} cost?",
        "When was the {e} cancelled?",
        "Who guards the {e}?",
    ),
}


@dataclass(frozen=True)
class Asked:
    """A question about some notes.

    Attributes:
        way: how the answer may go wrong.
        half: whether a threshold may be chosen on it.
        documents: the active texts.
        question: the question.
        answer: the exact answer.
    """

    way: Way
    half: Half
    documents: tuple[str, ...]
    question: str
    answer: str


@dataclass(frozen=True)
class Given:
    """What nano said.

    Attributes:
        asked: to what.
        answer: its words.
        used: places of the documents that were attached.
    """

    asked: Asked
    answer: str
    used: tuple[int, ...]

    @property
    def right(self) -> bool:
        """Whether it is the exact answer."""
        return self.answer == self.asked.answer


def questions() -> Iterator[Asked]:
    """All questions, from a fixed seed."""
    notes = _notes()
    draw = random.Random(SEED)
    strangers = Language(f"{SEED}-strangers", "test")
    for number in range(GROUPS):
        group = list(islice(notes, GROUP))
        half: Half = "held out" if number % 2 else "chosen on"
        texts = tuple(note.text for note in group)
        for start in range(0, GROUP, SMALL):
            for note in group[start : start + SMALL]:
                for question in note.questions:
                    yield Asked("routed", half, texts, question.text, question.answer)
                    yield Asked("mixed up", half, texts[start : start + SMALL], question.text, question.answer)
        for note in group:
            told = _told(note)
            for entity, attribute in draw.sample(sorted(told, key=repr), min(2, len(told))):
                stranger = strangers.name(attribute.kind)
                missing = [one for one in _BY_KIND[attribute.kind] if (entity, one) not in told]
                foreign = FOREIGN[attribute.kind]
                for way, name, forms in (
                    ("stranger", stranger, attribute.questions),
                    ("missing", entity, draw.choice(missing).questions if missing else ()),
                    ("wrong kind", entity, foreign),
                ):
                    if forms:
                        yield Asked(way, half, texts, draw.choice(forms).format(e=name), UNKNOWN)  # type: ignore[arg-type]


def answers(pair: Pair, kept: Path | None) -> list[Given]:
    """Nano's answers to all questions; those in the file are not asked for again."""
    asked = list(questions())
    rows = json.loads(kept.read_text()) if kept and kept.exists() else []
    with tempfile.TemporaryDirectory() as home, Bench(pair, Path(home)) as bench:
        order = sorted(range(len(asked)), key=lambda place: (asked[place].way == "mixed up", place))
        while batch := [asked[place] for place in order[len(rows) : len(rows) + AT_ONCE]]:
            for way in dict.fromkeys(one.way for one in batch):
                some = [one for one in batch if one.way == way]
                stored = [[bench.absorb(text) for text in one.documents] for one in some]
                routing = Routing("all" if way == "mixed up" else "auto")
                said = bench.answers([(one.question, those) for one, those in zip(some, stored, strict=True)], routing)
                for those, answer in zip(stored, said, strict=True):
                    places = {one.id: place for place, one in enumerate(those)}
                    rows.append([answer.text, [places[one.document] for one in answer.stats.chunks]])
            if kept and (len(rows) // AT_ONCE) % 8 == 0:
                kept.write_text(json.dumps(rows))
            print(f"\rnano: {len(rows)} of {len(asked)}", end=" ", file=sys.stderr)
    if kept:
        kept.write_text(json.dumps(rows))
    return [Given(asked[place], text, tuple(used)) for place, (text, used) in zip(order, rows, strict=True)]


def _notes() -> Iterator[Note]:
    """Notes of one to six facts that share no entity."""
    language, seen, number = Language(SEED, "test"), set[str](), 0
    while True:
        note = language.note(1 + number % 6, number % 3, unanswerable=0, paraphrases=WORDINGS)
        entities = {entity for entity, _ in _told(note)}
        if not entities & seen:
            seen |= entities
            number += 1
            yield note


def _told(note: Note) -> set[tuple[str, Attribute]]:
    """The entities of a note with the attributes that it tells of them."""
    return {found for question in note.questions if (found := _about(question.text))}


def _about(question: str) -> tuple[str, Attribute] | None:
    for attribute in ATTRIBUTES:
        for form in attribute.questions:
            before, _, after = map(re.escape, form.partition("{e}"))
            if found := re.fullmatch(rf"{before}([A-Z]\w+(?: [A-Z]\w+)*){after}", question):
                return found[1], attribute
    return None


def by_documents(given: Sequence[Given]) -> Iterator[tuple[tuple[str, ...], list[Given]]]:
    """Answers grouped by the documents that were active."""
    groups: dict[tuple[str, ...], list[Given]] = {}
    for one in given:
        groups.setdefault(one.asked.documents, []).append(one)
    yield from groups.items()
