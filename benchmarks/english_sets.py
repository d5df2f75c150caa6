"""English documents that smol never met, and the questions of `english.py` about them, each drawn from a fixed seed.

Notes, prompts and needles come from the generator's held-out split, passages from their held-out part.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from torch_train.english.notes import English, Note, tokens
from torch_train.english.nothing import prompts_of
from torch_train.english.passages import SOURCES, passages
from torch_train.english.question import Question

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "tests" / "fixtures" / "english"
DATA = ROOT.parent / "shared" / "data"
SEED = "benchmark"
FACTS = 4
LONGEST_PASSAGE = 128
NEEDLE, NEEDLE_QUESTION = "The code of the blue cabinet is {value}.", "What is the code of the blue cabinet?"
_NEEDLES = 10  # of each length
_OF_A_BOOK = 30  # questions
BOOK_PAGES = 20
_SENTENCES = 8  # of a paragraph of filler


@dataclass(frozen=True)
class Trial:
    """One question.

    Attributes:
        documents: the texts that are active.
        question: the question.
        accepted: all right answers; for one that the documents do not answer, the refusals; empty where the base's own
            answer is the right one.
        kind: what the results are told apart by.
    """

    documents: tuple[str, ...]
    question: str
    accepted: tuple[str, ...]
    kind: str


Trials = Callable[[int], list[Trial]]


def notes(facts: int) -> Trials:
    """Notes of so many facts, one active at a time."""
    return partial(_notes_of, facts)


def together(count: int) -> Trials:
    """Notes of four facts, `count` of them active at a time."""

    def draw(questions: int) -> list[Trial]:
        stream = islice(_stream(FACTS), -(-questions // (count * FACTS)) * count)
        trials = [
            _trial(tuple(note.text for note in group), question)
            for group in zip(*[stream] * count, strict=True)
            for note in group
            for question in note.questions
        ]
        return _spread(trials, questions)

    return draw


def silent(questions: int) -> list[Trial]:
    """Questions that their note does not answer: half about its subject, half about a stranger."""
    stream = English(f"{SEED}-silent", "test")
    drawn = (stream.note(FACTS, silent=(i + 1) % 2, strangers=i % 2) for i in range(questions))
    return [_trial((note.text,), question) for note in drawn for question in note.questions if not question.known]


def unrelated(questions: int) -> list[Trial]:
    """Questions about nothing, with a note's adapter attached."""
    asked = zip(_stream(FACTS), prompts_of("test"), strict=False)
    return [Trial((note.text,), prompt, (), "") for note, prompt in islice(asked, questions)]


def passage(source: str, data: Path = DATA) -> Trials:
    """Real passages of at most 128 tokens of one source, one active at a time."""

    def draw(questions: int) -> list[Trial]:
        rows = (row for row in _passages(data, source) if row.split == "test")
        return _spread(
            [_trial((row.text,), question) for row in rows for question in row.questions if question.known], questions
        )

    return draw


def needle(length: int) -> Trials:
    """A code in about `length` tokens of sentences that state no fact, at depths spread evenly."""

    def draw(questions: int) -> list[Trial]:
        trials = []
        for number in range(min(questions, _NEEDLES)):
            seed = f"{SEED}-needle-{length}-{number}"
            value, stream = str(random.Random(seed).randint(1000, 9999)), English(seed, "test")
            sentences: list[str] = []
            while tokens(" ".join(sentences)) < length:
                sentences += stream.note(1, filler=3).text.split("\n")
            depth = number / max(1, min(questions, _NEEDLES) - 1)
            sentences.insert(round(depth * len(sentences)), NEEDLE.format(value=value))
            starts = range(0, len(sentences), _SENTENCES)
            text = "\n\n".join(" ".join(sentences[start : start + _SENTENCES]) for start in starts)
            trials.append(Trial((text,), NEEDLE_QUESTION, (value,), f"depth {depth:.0%}"))
        return trials

    return draw


def examples(questions: int) -> list[Trial]:
    """The questions about `examples/`, all of its documents active."""
    from thoth import ingest

    documents = yaml.safe_load((FIXTURES / "examples.yaml").read_text("utf-8"))["documents"]
    texts = tuple(ingest.read(ROOT / "examples" / document["file"]).text for document in documents)
    return _spread(
        [_written(texts, entry, document["file"]) for document in documents for entry in document["questions"]],
        questions,
    )


def book(questions: int) -> list[Trial]:
    """Questions about a PDF of twenty pages of notes of four facts, read as the app reads it.

    Those that name something which no other of its notes names: "this person" says nothing in a book.
    """
    from thoth import ingest

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.pdf"
        inside = _bind(_stream(FACTS, "book"), path)
        text = ingest.read(path).text
    spoken = Counter(word for note in inside for word in _names(note.text))
    trials = [
        _trial((text,), question)
        for note in inside
        for question in note.questions
        if any(spoken[word] == 1 for word in _names(question.text) & _names(note.text))
    ]
    return _spread(trials, min(questions, _OF_A_BOOK))


def _bind(notes: Iterator[Note], path: Path) -> list[Note]:
    """Write notes into a PDF until it has its pages; returns those that are in it."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.utils import simpleSplit
    from reportlab.pdfgen.canvas import Canvas

    canvas, inside = Canvas(str(path), pagesize=A4), []
    for _ in range(BOOK_PAGES):
        page = canvas.beginText(60, 780)
        page.setFont("Times-Roman", 11)
        while page.getY() > 200:  # a note of four facts takes a quarter of a page at most
            note = next(notes)
            inside.append(note)
            for line in note.text.split("\n"):
                page.textLines(simpleSplit(line, "Times-Roman", 11, 440) or [""])
            page.textLine()
        canvas.drawText(page)
        canvas.showPage()
    canvas.save()
    return inside


def _names(text: str) -> set[str]:
    """Words that begin with a capital letter within a sentence, and numbers."""
    return set(re.findall(r"(?<=[a-z,] )[A-Z0-9][\w-]+", text))


def written(questions: int) -> list[Trial]:
    """The hundred questions that were written by hand before training: to be asked once, and not to be looked at."""
    notes = yaml.safe_load((FIXTURES / "questions.yaml").read_text("utf-8"))["notes"]
    return _spread(
        [_written((note["text"],), entry, note["kind"]) for note in notes for entry in note["questions"]], questions
    )


def _notes_of(facts: int, questions: int) -> list[Trial]:
    drawn = islice(_stream(facts), -(-questions // facts))
    return _spread([_trial((note.text,), question) for note in drawn for question in note.questions], questions)


def _stream(facts: int, of: str | None = None) -> Iterator[Note]:
    stream = English(f"{SEED}-{of or facts}", "test")
    while True:
        yield stream.note(facts)


@cache
def _passages(data: Path, source: str) -> tuple[Any, ...]:
    named = [one for one in SOURCES if one.name == source]
    return tuple(passages(data, tokens, LONGEST_PASSAGE, named))


def _trial(documents: tuple[str, ...], question: Question) -> Trial:
    return Trial(documents, question.text, question.accepted or (question.answer,), question.kind)


def _written(documents: tuple[str, ...], entry: dict[str, Any], kind: str) -> Trial:
    return Trial(documents, entry["question"], tuple(entry["answers"]), kind)


def _spread(trials: Sequence[Trial], count: int) -> list[Trial]:
    """`count` of them, evenly spread."""
    return [trials[i * len(trials) // count] for i in range(count)] if count < len(trials) else list(trials)
