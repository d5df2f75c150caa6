"""Notes as people keep them: leases, recipes, minutes, with questions about them, drawn from a seed.

Names, and two of ten wordings of everything, are held out by split: see `split.py`.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

from torch_train.english import layout
from torch_train.english.facts import Fact, Teller, entity_of, facts_of
from torch_train.english.kinds import FOLDER, Kind, kinds_of
from torch_train.english.names import names_of
from torch_train.english.question import Question, refusal
from torch_train.english.split import Split
from torch_train.english.values import Values
from torch_train.errors import DataError

__all__ = ["English", "Note", "Question", "tokens"]

MOST_FACTS = 12
MOST_TOKENS = 226  # by the estimate of `tokens`; by the tokenizer 256, but for 3 in 1,000 of the notes of 12 facts
FEWEST_TOKENS = 20
_TOKEN = re.compile(r" ?[^\W\d_]+| ?\d|[^\w\s]|_|\n+")


@dataclass(frozen=True)
class Note:
    """A note and the questions about it: those it answers first, then those it does not."""

    text: str
    questions: tuple[Question, ...]


class English:
    """Draws notes and questions; one instance is one reproducible stream.

    Args:
        seed: Seed of the stream.
        split: Which names and wordings to draw from.
        folder: Folder of the kinds of documents.
    """

    def __init__(self, seed: str, split: Split, folder: Path = FOLDER) -> None:
        self._draw = random.Random(f"english-{split}-{seed}")
        self._names = names_of(split)
        self._kinds = {kind.name: kind for kind in kinds_of(split, folder)}

    def note(
        self,
        facts: int,
        *,
        filler: int = 0,
        silent: int = 0,
        strangers: int = 0,
        kind: str | None = None,
        wordings: int = 1,
    ) -> Note:
        """A note of at most about 256 tokens, with a question about each of its facts.

        Args:
            facts: Number of facts, 1 to 12.
            filler: Number of sentences that state no fact; fewer where the note would become too long.
            silent: Number of questions besides about what the note does not say of its subject.
            strangers: Number of questions besides about a subject that is not in the note.
            kind: Kind of the document; drawn where it is not given.
            wordings: Number of wordings of the question about each fact; dev and test have two.

        Raises:
            DataError: There is no such kind, or the number of facts is out of range.
        """
        if not 1 <= facts <= MOST_FACTS:
            raise DataError(f"a note has 1 to {MOST_FACTS} facts, not {facts}")
        if kind is not None and kind not in self._kinds:
            raise DataError(f"there is no kind of document {kind!r}: choose from {', '.join(self._kinds)}")
        draw = self._draw
        drawn = self._kinds[kind] if kind else draw.choice(list(self._kinds.values()))
        values = Values(draw, self._names)
        told = facts_of(drawn, facts, draw, values)
        teller = Teller(drawn, told, self._names, draw)
        text, answers = self._written(drawn, told, filler, teller, values)
        asked = [
            Question(wording, answer, True, fact.attribute.name, drawn.name)
            for fact, answer in zip(told, answers, strict=True)
            for wording in teller.questions(fact.entity, fact.attribute, wordings)
        ]
        draw.shuffle(asked)
        return Note(text, (*asked, *self._unanswerable(drawn, told, silent, strangers, teller, values)))

    def _written(
        self, kind: Kind, facts: list[Fact], filler: int, teller: Teller, values: Values
    ) -> tuple[str, list[str]]:
        draw = self._draw
        if draw.random() < 0.5:  # grouped by subject, or side by side
            facts.sort(key=lambda fact: fact.entity)
        sentences = draw.sample(kind.filler, min(filler, len(kind.filler)))
        form = draw.choices(("prose", "labels", "table", "letter"), (50, 18, 12, 20))[0]
        if form == "letter" and kind.name in ("letter", "email"):
            form = "prose"  # these kinds have a sender and a reader of their own
        titled = 0.4
        while True:
            if form == "labels":
                text, answers = layout.labels(kind, facts, sentences, draw)
            elif form == "table":
                text, answers = layout.table(kind, facts, sentences, draw)
            elif form == "letter":
                text, answers = layout.letter(kind, facts, [*sentences], teller, draw, values)
            else:
                text, answers = layout.prose(kind, facts, [*sentences], teller, draw, titled)
            length = tokens(text)
            if length > MOST_TOKENS and (sentences or form != "labels"):
                form = form if sentences else "labels"
                sentences = sentences[1:]
            elif length < FEWEST_TOKENS and form == "prose" and titled < 1:
                titled = 1.0
            else:
                return text, answers

    def _unanswerable(
        self, kind: Kind, facts: list[Fact], silent: int, strangers: int, teller: Teller, values: Values
    ) -> list[Question]:
        draw = self._draw
        told = {(fact.entity, fact.attribute) for fact in facts}
        entities = tuple(dict.fromkeys(fact.entity for fact in facts))
        # Of several subjects, one may lack what is told of another: that is the harder question.
        missing = [
            (one, attribute) for one in entities for attribute in kind.attributes if (one, attribute) not in told
        ]
        asked = draw.sample(missing, min(silent, len(missing)))
        asked += [(entity_of(kind, draw, values, entities), draw.choice(facts).attribute) for _ in range(strangers)]
        return [
            Question(teller.questions(entity, attribute)[0], refusal(draw), False, attribute.name, kind.name)
            for entity, attribute in asked
        ]


def tokens(text: str) -> int:
    """About how many tokens SmolLM2's tokenizer makes of a text, within one in ten for nearly all notes.

    Digits are one each, and one more for the space before; names cost more than common words, accents more than that.
    """
    return round(sum(map(_cost, _TOKEN.findall(text))))


def _cost(piece: str) -> float:
    word = piece.lstrip(" ")
    if word.isdigit():
        return 1 + (piece != word)
    if not word[0].isalpha():
        return 1
    if not word.isascii():
        return 1 + 0.34 * len(word)
    if word[0].isupper() or piece == word:
        return 1 + 0.17 * max(0, len(word) - 3)
    return 1.05
