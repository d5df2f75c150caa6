"""The questions of `benchmarks/english.py`: each has its answer in what is active, and is judged by it."""

import pytest

from benchmarks import english, english_sets
from benchmarks.english_sets import FACTS, Trials
from torch_train.english.question import REFUSALS


@pytest.mark.parametrize(
    ("trials", "documents"),
    [
        (english_sets.notes(1), 1),
        (english_sets.notes(8), 1),
        (english_sets.together(4), 4),
        (english_sets.needle(1024), 1),
        (english_sets.examples, 3),
    ],
    ids=["1 fact", "8 facts", "4 notes", "needle", "examples"],
)
def test_the_documents_answer_the_questions(trials: Trials, documents: int) -> None:
    drawn = trials(10)
    assert len(drawn) == 10
    assert drawn == trials(10)  # the same in every run
    for trial in drawn:
        assert len(trial.documents) == documents
        assert english.is_right(" ".join(trial.documents), trial.accepted)


def test_a_quarter_of_four_notes_has_the_answer() -> None:
    drawn = english_sets.together(4)(16)
    assert all(sum(english.is_right(text, trial.accepted) for text in trial.documents) >= 1 for trial in drawn)
    assert len({trial.documents for trial in drawn}) == 1
    assert len(drawn) == 4 * FACTS


def test_silent_notes_are_asked_half_about_strangers() -> None:
    drawn = english_sets.silent(8)
    assert len(drawn) == 8
    assert all(set(trial.accepted) <= set(REFUSALS) for trial in drawn)


def test_questions_about_nothing_have_no_answer_of_ours() -> None:
    assert all(trial.accepted == () for trial in english_sets.unrelated(5))


@pytest.mark.parametrize(
    ("answer", "accepted", "right"),
    [
        ("It is 12 May 2025.", ("12 May 2025",), True),
        ("It is 112 May 2025.", ("12 May 2025",), False),
        ("the  BLUE\ndoor", ("blue door",), True),
        ("The document doesn't say.", ("The document does not say.",), True),
        ("Four.", ("The document does not say.",), False),
    ],
)
def test_what_is_right(answer: str, accepted: tuple[str, ...], right: bool) -> None:
    assert english.is_right(answer, accepted) == right


def test_about_nothing_only_the_same_answer_is_right() -> None:
    assert english.is_right("Paris.", ("Paris.",), exact=True)
    assert not english.is_right("It is Paris.", ("Paris.",), exact=True)


def test_questions_by_hand_are_asked_by_name_only() -> None:
    names = english.rows(english_sets.DATA)
    assert any(english.ASKED_BY_NAME in name for name in names)
