"""Nano's synthetic language: short factual notes and questions about them, drawn from a seed.

Names are pronounceable, put together from syllables, and belong to exactly one split: a name met in training never
occurs in a test note, so a right answer must come from the note.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from typing import Literal

from torch_train.nano import haystack, vocabulary
from torch_train.nano.templates import ATTRIBUTES, Attribute
from torch_train.nano.vocabulary import CHOICES

Split = Literal["train", "test"]
UNKNOWN = "I don't know."

_KINDS = ("person", "organisation", "place", "product", "event")
_BY_KIND = {kind: [a for a in ATTRIBUTES if a.kind == kind] for kind in _KINDS}

_JOINTS = (" ", " ", " ", " ", " ", "\n", "\n\n")


@dataclass(frozen=True)
class NoteQuestion:
    """A question and its exact answer (`UNKNOWN` where the note is silent).

    Attributes:
        text: The question.
        answer: The exact answer.
        follows: Asked in the same conversation as the question before it.
    """

    text: str
    answer: str
    follows: bool = False


@dataclass(frozen=True)
class Note:
    """A note, the number of its facts, and questions about it."""

    text: str
    facts: int
    questions: tuple[NoteQuestion, ...]


class Language:
    """Draws notes and questions; one instance is one reproducible stream.

    Args:
        seed: Seed of the stream.
        split: Which half of all names to draw from: one word in ten belongs to the test split.
    """

    def __init__(self, seed: int | str, split: Split) -> None:
        self._random = random.Random(f"{split}-{seed}")
        self._split = split

    def word(self, kind: str) -> str:
        """A capitalised name part of this split."""
        draw = self._random
        while True:
            middle = draw.choice(vocabulary.MIDDLES) if draw.random() < 0.2 else ""
            word = draw.choice(vocabulary.HEADS) + middle + draw.choice(vocabulary.TAILS[kind])
            if (zlib.crc32(word.encode()) % 10 == 0) == (self._split == "test"):
                return word

    def name(self, kind: str) -> str:
        """The name of an entity: 'Kelmira Torsen' (person), 'Belwick' (place), 'Norella Fair' (event)."""
        if kind == "person":
            return f"{self.word('first')} {self.word('last')}"
        if kind == "event":
            return f"{self.word('event')} {self._random.choice(vocabulary.EVENTS)}"
        return self.word(kind)

    def value(self, kind: str) -> str:
        """A value of the given kind: a name, a number with its unit, or one of a closed set."""
        draw = self._random
        match kind:
            case "year":
                return str(draw.randint(1700, 2029))
            case "count":
                return str(draw.randint(100, 9999))
            case "money":
                return f"{draw.randint(10, 999)} crowns"
            case "metres":
                return f"{draw.randint(10, 2999)} metres"
            case "date":
                return f"{draw.randint(1, 28)} {draw.choice(CHOICES['month'])}"
            case "person" | "place" | "organisation" | "river":
                return self.name(kind)
        return draw.choice(CHOICES[kind])

    def filler(self) -> str:
        """One sentence that says nothing one could ask about."""
        adjectives = self._random.sample(vocabulary.ADJECTIVES, 2)
        nouns = self._random.sample(vocabulary.NOUNS, 2)
        sentence = self._random.choice(haystack.FILLER)
        return sentence.format(a=adjectives[0], a2=adjectives[1], n=nouns[0], n2=nouns[1])

    def _facts(self, count: int) -> list[tuple[str, Attribute, str]]:
        """(entity, attribute, value) triples about one to four entities, no pair of entity and attribute twice."""
        draw = self._random
        entities: list[tuple[str, str]] = []
        kinds = draw.sample(_KINDS, draw.randint(1, 2))
        for _ in range(min(count, draw.randint(1, 4))):
            kind = draw.choice(kinds)  # few kinds: the same attribute of several entities must be told apart
            entities.append((kind, self.name(kind)))
        facts: dict[tuple[str, str], tuple[str, Attribute, str]] = {}
        while len(facts) < count:
            if all(sum(name == fact[0] for fact in facts.values()) >= len(_BY_KIND[kind]) for kind, name in entities):
                kind = draw.choice(_KINDS)
                entities.append((kind, self.name(kind)))
            kind, name = draw.choice(entities)
            attribute = draw.choice(_BY_KIND[kind])
            if (name, attribute.name) not in facts:
                facts[name, attribute.name] = (name, attribute, self.value(attribute.value))
        return list(facts.values())

    def _join(self, sentences: list[str]) -> str:
        joint = self._random.choice(_JOINTS)
        if joint == "\n" and self._random.random() < 0.5:
            return "\n".join(f"- {sentence}" for sentence in sentences)
        return joint.join(sentences)

    def _unanswerable(self, facts: list[tuple[str, Attribute, str]]) -> str:
        """A question the note is silent about: a missing attribute of a known entity, or an unknown entity."""
        draw = self._random
        if facts and draw.random() < 0.5:
            entity, attribute, _ = draw.choice(facts)
            told = {a.name for e, a, _ in facts if e == entity}
            missing = [a for a in _BY_KIND[attribute.kind] if a.name not in told]
            if missing:
                return draw.choice(draw.choice(missing).questions).format(e=entity)
        attribute = draw.choice(facts)[1] if facts and draw.random() < 0.7 else draw.choice(ATTRIBUTES)
        return self._about_a_stranger(attribute)

    def _about_a_stranger(self, attribute: Attribute) -> str:
        """A question about an entity of which no note tells."""
        return self._random.choice(attribute.questions).format(e=self.name(attribute.kind))

    def note(
        self,
        facts: int,
        filler: int = 0,
        unanswerable: int = 1,
        chat: float = 0.0,
        paraphrases: int = 1,
        strangers: int = 0,
    ) -> Note:
        """A note with `facts` facts and `filler` filler sentences, and questions about each fact.

        Args:
            facts: Number of facts, 1 to 12.
            filler: Number of filler sentences in between.
            unanswerable: Number of questions beside them that the note does not answer.
            chat: Probability that a question follows the one before it in one conversation.
            paraphrases: Number of ways to ask about each fact, up to 6.
            strangers: Number of questions besides, of what the note tells, but about entities that are not in it.
        """
        draw = self._random
        triples = self._facts(facts)
        # grouped by entity or shuffled: both occur in real notes
        if draw.random() < 0.5:
            draw.shuffle(triples)
        else:
            triples.sort(key=lambda triple: triple[0])
        sentences = []
        for entity, attribute, value in triples:
            sentence = draw.choice(attribute.statements).format(e=entity, v=value)
            sentences.append(sentence[0].upper() + sentence[1:])
        for _ in range(filler):
            sentences.insert(draw.randint(0, len(sentences)), self.filler())
        asked = [
            (question.format(e=entity), value)
            for entity, attribute, value in triples
            for question in draw.sample(attribute.questions, paraphrases)
        ]
        asked += [(self._unanswerable(triples), UNKNOWN) for _ in range(unanswerable)]
        asked += [(self._about_a_stranger(draw.choice(triples)[1]), UNKNOWN) for _ in range(strangers)]
        return Note(self._join(sentences), facts, self._conversations(asked, chat))

    def needle(self, filler: int) -> Note:
        """One "The special magic number is NNNN." at a random depth among `filler` filler sentences."""
        draw = self._random
        number = str(draw.randint(1000, 9999))
        sentences = [self.filler() for _ in range(filler)]
        sentences.insert(draw.randint(0, filler), haystack.NEEDLE.format(v=number))
        asked = [(question, number) for question in draw.sample(haystack.NEEDLE_QUESTIONS, 2)]
        asked.append((self._unanswerable([]), UNKNOWN))
        return Note(self._join(sentences), 1, self._conversations(asked, 0.0))

    def silence(self, questions: int) -> Note:
        """No note at all: every answer is `UNKNOWN`."""
        draw = self._random
        asked = [self._unanswerable([]) for _ in range(questions - 1)]
        asked.append(draw.choice(haystack.NEEDLE_QUESTIONS))
        draw.shuffle(asked)
        return Note("", 0, self._conversations([(question, UNKNOWN) for question in asked], 0.1))

    def _conversations(self, asked: list[tuple[str, str]], chat: float) -> tuple[NoteQuestion, ...]:
        self._random.shuffle(asked)
        questions: list[NoteQuestion] = []
        given: set[str] = set()  # answers in the conversation so far: none may be asked for a second time
        for text, answer in asked:
            follows = bool(given) and answer not in given and self._random.random() < chat
            given = given | {answer} if follows else {answer}
            questions.append(NoteQuestion(text, answer, follows))
        return tuple(questions)
