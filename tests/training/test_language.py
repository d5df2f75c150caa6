"""Nano's language: enough of it, reproducible, and nothing that leaks from training into test."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from torch_train.nano import templates
from torch_train.nano.language import UNKNOWN, Language

NAME_PARTS = re.compile(r"\b[A-Z][a-z]{3,}\b")


def _names(split: str, notes: int) -> set[str]:
    language = Language(7, split)
    kinds = ("person", "organisation", "place", "product", "event", "river")
    full = [language.name(kind) for _ in range(notes) for kind in kinds]
    ordinary = {"Fair", "Festival", "Race", "Regatta", "Summit", "Concert", "Games", "Market"}
    return {part for name in full for part in name.split()} - ordinary


def test_there_is_enough_of_everything() -> None:
    assert len(templates.ATTRIBUTES) >= 20
    for attribute in templates.ATTRIBUTES:
        assert len(set(attribute.statements)) >= 6
        assert len(set(attribute.questions)) >= 6
        assert all("{e}" in text and "{v}" in text for text in attribute.statements)
        assert all("{e}" in text and "{v}" not in text for text in attribute.questions)


def test_a_question_belongs_to_one_attribute_of_its_kind() -> None:
    asked = Counter((a.kind, question) for a in templates.ATTRIBUTES for question in a.questions)
    assert max(asked.values()) == 1


def test_names_of_training_and_test_are_disjoint() -> None:
    train, test = _names("train", 3000), _names("test", 3000)
    assert len(train) > 3000
    assert len(test) > 300
    assert not train & test


def test_a_stream_is_its_seed() -> None:
    def draw(seed: int) -> list[str]:
        language = Language(seed, "train")
        return [language.note(4, 2, 1, 0.3).text for _ in range(20)]

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


@pytest.mark.parametrize("facts", [1, 4, 12])
def test_answers_stand_in_the_note_and_refusals_do_not(facts: int) -> None:
    language = Language(11, "test")
    for _ in range(200):
        note = language.note(facts, filler=2, unanswerable=2)
        known = [question for question in note.questions if question.answer != UNKNOWN]
        assert len(known) == facts
        assert len(note.questions) == facts + 2
        assert all(question.answer in note.text for question in known)
        assert len({question.text for question in known}) == facts  # no question has two answers


def test_strangers_are_asked_about_and_not_in_the_note() -> None:
    language, found = Language(3, "train"), 0
    for _ in range(100):
        note = language.note(4, unanswerable=0, strangers=3)
        asked = [question.text for question in note.questions if question.answer == UNKNOWN]
        assert len(asked) == 3
        found += sum(name in note.text for text in asked for name in re.findall(r"[A-Z][a-z]{5,}", text)[1:])
    assert found < 10  # parts of names recur, such as "Fair"


def test_a_refused_question_has_no_answer_in_the_note() -> None:
    language = Language(5, "train")
    asked = [
        (re.compile(re.escape(question).replace(r"\{e\}", "(.+)")), attribute)
        for attribute in templates.ATTRIBUTES
        for question in attribute.questions
    ]
    checked = 0
    for _ in range(300):
        note = language.note(6, unanswerable=3)
        for question in note.questions:
            if question.answer != UNKNOWN:
                continue
            for pattern, attribute in asked:
                match = pattern.fullmatch(question.text)
                if match:
                    told = "|".join(
                        re.escape(statement).replace(r"\{e\}", re.escape(match[1])).replace(r"\{v\}", ".+")
                        for statement in attribute.statements
                    )
                    assert (
                        not re.search(rf"(?:^|[\n ])(?:{told})", note.text, re.IGNORECASE) or match[1] not in note.text
                    )
                    checked += 1
    assert checked > 300


def test_needle_is_as_the_literature_has_it() -> None:
    note = Language(1, "test").needle(8)
    found = re.search(r"The special magic number is (\d{4})\.", note.text)
    assert found
    assert all(question.answer in (found[1], UNKNOWN) for question in note.questions)
