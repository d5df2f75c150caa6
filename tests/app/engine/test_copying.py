"""Answers in the words of what was read."""

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from mlx_hypernet.tokenizer import load_tokenizer
from thoth import nano
from thoth.engine.copying import copying

TEXT = "The monthly rent is $1,340. Helen Marchetti (the landlord) has a cat. The tank holds 3.8 litres."
QUESTION = "How much is the rent?"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(nano.folder() / "base", None)


@lru_cache(maxsize=64)
def follows(tokenizer: Any, said: str) -> set[int]:
    """The tokens that may follow an answer's beginning."""
    import mlx.core as mx

    process = copying(tokenizer, [TEXT, QUESTION])
    logits, prompt = mx.zeros((1, len(tokenizer.vocab))), [5, 6, 7]
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
    ],
)
def test_words_of_the_text_can_be_said(tokenizer: Any, answer: str) -> None:
    assert sayable(tokenizer, answer)


@pytest.mark.parametrize(
    "answer",
    ["The landlord calculates", "Paris", "The rent is $1,3", "1,340,340", "Helen Marche", "8 litres", "rentrent"],
)
def test_other_words_cannot_be_said(tokenizer: Any, answer: str) -> None:
    assert not sayable(tokenizer, answer)


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
