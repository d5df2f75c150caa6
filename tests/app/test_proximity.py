"""How near to each other a question's words stand decides between chunks that have the same words."""

from pathlib import Path

import pytest

from thoth.library.library import Library
from thoth.library.proximity import proximity
from thoth.library.search_text import search_text
from thoth.library.words import Words

from . import made_up

WEIGHTS = {"green": 2.0, "lamp": 3.0, "hous": 4.0}


def score(question: str, text: str) -> float:
    found = Words().places(question, [search_text(text)])
    return proximity(found.question, found.texts[0], WEIGHTS)


def test_places_are_those_of_the_index() -> None:
    found = Words().places("Which lamps are green?", ["the lamp of the green house", "no such thing", "green"])
    assert found.question == ["which", "lamp", "ar", "green"]
    assert found.texts == [[(1, "lamp"), (4, "green")], [], [(0, "green")]]


def test_words_are_of_the_last_texts_only() -> None:
    words = Words()
    words.places("lamp", ["lamp"])
    assert words.count("Lamps, lamp!") == {"lamp": 2}
    assert words.places("lamp", ["house", "lamp"]).texts == [[], [(0, "lamp")]]


def test_a_window_counts_each_word_once() -> None:
    assert score("green lamp", "green x green x lamp") == 5.0  # no pair: a word is between them
    assert score("green lamp", "lamp") == 3.0


def test_scattered_words_count_as_much_as_the_heaviest_window() -> None:
    far = " ".join(["x"] * 20)
    assert score("lamp house", f"lamp {far} house") == 4.0
    assert score("lamp house", f"lamp {far} house x lamp") == 7.0


def test_words_that_follow_each_other_as_in_the_question_count_more() -> None:
    assert score("green lamp", "a green lamp") == 5.0 + 2.5
    assert score("green lamp", "a lamp green") == 5.0
    assert score("green lamp", "green lamp green lamp") == 5.0 + 2.5  # however often


def test_words_that_are_not_searched_for_count_little_whatever_the_text() -> None:
    # A seventh or so of the median, 3: beside a word that counts, and never as much as it.
    assert 3.0 < score("the lamp", "the lamp") < 3.0 + 3.0
    assert score("who is the", "who is the") < 3.0


def test_nothing_to_look_for_scores_nothing() -> None:
    assert proximity([], [], {}) == 0.0
    assert proximity(["lamp"], [], {"lamp": 1.0}) == 0.0


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_chunks_with_the_same_words_the_one_that_says_it_is_first(home: Path, order: tuple[int, int]) -> None:
    texts = (
        "The keeper of the green tower was born in the old lighthouse near the long white beach.",
        "The tower is green. The beach is long and white. A keeper lives near the old mill that a lighthouse made old.",
    )
    library = Library(home)
    stored = made_up.absorb(library, made_up.document([texts[place] for place in order]))
    asked = "Where was the keeper of the green tower born?"
    best, *others = library.search("keeper green tower", [stored.id], 5, asked)
    assert best[0].number == order.index(0)
    assert others
    assert best[1] > others[0][1]
    assert library.search("keeper", [stored.id], 5, "") == library.search("keeper", [stored.id], 5)
