"""The English questions written by hand: what a model is asked must be answered by the text it was given."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from thoth.ingest import pdf

FIXTURES = Path(__file__).parents[1] / "fixtures" / "english"
EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str, key: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = yaml.safe_load((FIXTURES / name).read_text("utf-8"))[key]
    return entries


def example(name: str) -> str:
    file = EXAMPLES / name
    return pdf.read(file.read_bytes(), name).text if file.suffix == ".pdf" else file.read_text("utf-8")


def contains(text: str, answer: str) -> bool:
    text = " ".join(text.split()).casefold()
    return re.search(rf"(?<!\w){re.escape(answer.casefold())}(?!\w)", text) is not None


def check(text: str, questions: list[dict[str, Any]]) -> None:
    for entry in questions:
        assert any(contains(text, answer) for answer in entry["answers"]), entry
        assert not any(contains(entry["question"], answer) for answer in entry["answers"]), entry


def test_notes_are_short_and_answer_their_questions() -> None:
    notes = load("questions.yaml", "notes")
    assert (len(notes), sum(len(note["questions"]) for note in notes)) == (30, 100)
    for note in notes:
        assert 60 <= len(note["text"].split()) <= 180, note["kind"]
        check(note["text"], note["questions"])


@pytest.mark.parametrize("document", load("examples.yaml", "documents"), ids=lambda document: str(document["file"]))
def test_examples_answer_their_questions(document: dict[str, Any]) -> None:
    assert len(document["questions"]) == 10
    check(example(document["file"]), document["questions"])


def test_the_lease_has_two_pages() -> None:
    assert pdf.read((EXAMPLES / "lease.pdf").read_bytes(), "lease.pdf").pages == 2
