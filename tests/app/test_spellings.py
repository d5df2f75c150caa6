"""Numbers and dates are found however question and text spell them."""

from types import SimpleNamespace
from typing import Any

import pytest

from thoth.retrieval.pointing import pointing
from thoth.retrieval.spellings import grouped, in_other_words, others, plain
from thoth.retrieval.terms import content


@pytest.mark.parametrize(
    ("question", "spelled"),
    [
        ("on the 3rd of May 2024", "2024-05-03"),
        ("on May 3rd, 2024", "03.05.2024"),
        ("on 3 Sept. 2024", "2024-09-03"),
        ("on 2024-05-03", "3 may 2024"),
        ("on 03.05.2024", "2024-05-03"),
        ("1,048 visits: 12500 crowns", "12,500"),
        ("1,048 visits", "1,048"),
        ("on 3 Apr\u0131l 2024", "2024-04-03"),  # a Turkish i has no dot
    ],
)
def test_another_spelling(question: str, spelled: str) -> None:
    assert spelled in others(plain(question))


def test_small_numbers_in_words() -> None:
    assert in_other_words("by the 5th, forty minutes, 12 eggs, the third") == ["fifth", "40", "twelve", "3rd"]
    assert in_other_words("the 5th is the fifth, 2 and seven, 45") == []


@pytest.mark.parametrize(
    "question", ["in 2024", "version 1.2.3", "on 45 May 2024", "99.99.2024", "account 99120457-3", "the 3rd one, 3,14"]
)
def test_what_is_no_date_and_no_large_number(question: str) -> None:
    assert others(plain(question)) == []


def test_numbers_become_one_piece() -> None:
    assert plain("1,000 or 1,2 on the 3rd of May, the 3rd one") == "1000 or 1,2 on the 3 of May, the 3rd one"
    assert [grouped(text) for text in ("1000", "2024", "999", "x")] == ["1,000", None, None, None]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("May I fly?", ["fly"]),
        ("Will the tenant pay?", ["tenant", "pay"]),
        ("May 2024", ["May", "2024"]),
        ("Will Smith", ["Will", "Smith"]),
    ],
)
def test_a_verb_that_asks_is_no_month_and_no_name(question: str, words: list[str]) -> None:
    assert content(question) == words


def test_a_kind_of_document_with_a_letter_of_turkish() -> None:
    slides: Any = SimpleNamespace(id="a", name="talk.pptx", added=0)
    assert pointing("What do the sl\u0131des say?", [slides]).documents == {"a"}
