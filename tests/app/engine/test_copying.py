"""Answers in the words of what was read."""

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from mlx_hypernet.tokenizer import load_tokenizer
from thoth import nano
from thoth.engine.copying import copying

TEXT = """The monthly rent is $1,340. Helen Marchetti (the landlord) has a cat. The tank holds 3.8 litres.
The flat is ready from April 2, 2021 for 22 days. Call +44 98 5114. In 2021 sales rose.
Number | 47 | Flat"""
QUESTION = "How much is the rent?"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(nano.folder() / "base", None)


@lru_cache(maxsize=64)
def follows(tokenizer: Any, said: str, ready: float = 9.0, never: tuple[int, ...] = ()) -> set[int]:
    """The tokens that may follow an answer's beginning, where the model is so much readier to end it than to go on."""
    import mlx.core as mx

    process = copying(tokenizer, [TEXT, QUESTION], never)
    logits, prompt = mx.zeros((1, len(tokenizer.vocab))), [5, 6, 7]
    logits[0, list(tokenizer.eos_token_ids)] = ready
    process(mx.array(prompt), logits)
    left = process(mx.array([*prompt, *tokenizer.encode(said, add_special_tokens=False)]), logits)
    return set(np.flatnonzero(np.isfinite(np.array(left[0]))).tolist())


def sayable(tokenizer: Any, answer: str) -> bool:
    """Whether an answer can be said, token by token, and ended."""
    ids = tokenizer.encode(answer, add_special_tokens=False)
    steps = [follows(tokenizer, tokenizer.decode(ids[:length])) for length in range(len(ids) + 1)]
    return all(id in left for id, left in zip(ids, steps, strict=False)) and tokenizer.eos_token_ids <= steps[-1]


@pytest.mark.parametrize(
    "answer",
    [
        "The rent is $1,340",
        "Helen Marchetti",
        " the landlord is Helen Marchetti.",
        "It is 1,340.",
        "A cat",
        "3.8 litres.",
        "the cat of Helen",
        "2021",
        "the flat, ready",
    ],
)
def test_words_of_the_text_can_be_said(tokenizer: Any, answer: str) -> None:
    assert sayable(tokenizer, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "The landlord calculates",
        "Paris",
        "The rent is $1,3",
        "1,340,340",
        "Helen Marche",
        "8 litres",
        "rentrent",
        "Helen cat",
        "5114 98",
    ],
)
def test_other_words_cannot_be_said(tokenizer: Any, answer: str) -> None:
    assert not sayable(tokenizer, answer)


@pytest.mark.parametrize("answer", ["the rent of", "a", "the landlord and", "the cat has a"])
def test_an_answer_does_not_end_open(tokenizer: Any, answer: str) -> None:
    assert tokenizer.eos_token_ids.isdisjoint(follows(tokenizer, answer))


@pytest.mark.parametrize("said", ["Helen", "April", "April 2,", "22", "+44", "from April 2"])
def test_a_name_or_a_quantity_is_finished_where_the_model_is_about_as_ready_to(tokenizer: Any, said: str) -> None:
    ends = tokenizer.eos_token_ids
    assert ends <= follows(tokenizer, said)
    if said != "from April 2":  # the comma belongs to the word
        assert ends.isdisjoint(follows(tokenizer, said, ready=3.0))


@pytest.mark.parametrize("said", ["2021", "the landlord", "47", "Number", "the rent is $1,340"])
def test_other_words_are_not_added(tokenizer: Any, said: str) -> None:
    assert tokenizer.eos_token_ids <= follows(tokenizer, said, ready=0.0)


def test_an_answer_does_not_begin_with_what_it_never_does(tokenizer: Any) -> None:
    (the,) = tokenizer.encode("The", add_special_tokens=False)
    assert the in follows(tokenizer, "")
    assert follows(tokenizer, "") - follows(tokenizer, "", never=(the,)) == {the}


def test_an_empty_answer_is_none(tokenizer: Any) -> None:
    assert tokenizer.eos_token_ids.isdisjoint(follows(tokenizer, ""))


@pytest.mark.parametrize(
    ("said", "ends"),
    [("She has a cat.", True), ("It holds 3.8 litres.", True), ("It holds 3.", False), ("The rent is", False)],
)
def test_an_answer_is_one_sentence(tokenizer: Any, said: str, ends: bool) -> None:
    assert (follows(tokenizer, said) == tokenizer.eos_token_ids) == ends


@pytest.mark.parametrize(
    ("said", "ends"),
    [("the rent is $1,340 the rent is", True), ("the rent is $1,340 the rent", False), ("rent rent rent rent", True)],
)
def test_an_answer_that_runs_in_a_circle_ends(tokenizer: Any, said: str, ends: bool) -> None:
    assert (follows(tokenizer, said) == tokenizer.eos_token_ids) == ends
