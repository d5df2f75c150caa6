"""A needle in a haystack: one line with a number, among filler, at any length and depth."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence

from torch_train.data.row import ContextRow
from torch_train.errors import DataError

QUESTION = "What is the special magic number?"
FILLER = (
    "The grass is green.",
    "The sky is blue.",
    "The sun is yellow.",
    "Here we go.",
    "There and back again.",
    "The road is long.",
    "The river runs to the sea.",
    "Some birds sing in the morning.",
    "A cat sleeps on the wall.",
    "The wind comes from the north.",
)

Count = Callable[[str], int]


def needle(tokens: int, depth: float, count: Count, draw: random.Random, question: str = QUESTION) -> ContextRow:
    """A context of at most `tokens` tokens, and no sentence less than fits, with the needle at `depth`.

    Args:
        tokens: Length of the context in tokens, without any template.
        depth: Share of the filler in front of the needle, 0 to 1.
        count: Number of tokens of a text.
        draw: Source of the number and of the order of the filler.
        question: What is asked; the reference adds "Reply with only the number."

    Raises:
        DataError: The needle alone is longer than `tokens`.
    """
    number = str(draw.randint(1000, 9999))
    line = f"The special magic number is {number}."
    order = [sentence for _ in range(math.ceil(tokens / len(FILLER))) for sentence in draw.sample(FILLER, len(FILLER))]

    def context(sentences: int) -> str:
        before = round(depth * sentences)
        return " ".join([*order[:before], line, *order[before:sentences]])

    # No sentence is shorter than a token, so that `order` is long enough: bisect between none and all of it.
    fits, too_many = 0, len(order) + 1
    if count(context(0)) > tokens:
        raise DataError(f"a needle has {count(context(0))} tokens: {tokens} are too few for one")
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        fits, too_many = (middle, too_many) if count(context(middle)) <= tokens else (fits, middle)
    return ContextRow(context(fits), (question,), ((number,),), f"niah/{tokens}/{depth:.2f}")


def scattered(
    rows: int, shortest: int, longest: int, count: Count, seed: int, question: str = QUESTION
) -> Iterator[ContextRow]:
    """Needles for training: lengths and depths drawn evenly.

    Raises:
        DataError: The shortest are longer than the longest, or too short for a needle.
    """
    if shortest > longest:
        raise DataError(f"needles of {shortest} to {longest} tokens: the shortest must not be longer than the longest")
    for index in range(rows):
        draw = random.Random(f"{seed}-{index}")
        yield needle(draw.randint(shortest, longest), draw.random(), count, draw, question)


def grid(
    lengths: Sequence[int], depths: int, per_cell: int, count: Count, seed: int, question: str = QUESTION
) -> Iterator[ContextRow]:
    """Needles for a heat map: `per_cell` at every length and at `depths` evenly spaced depths from 0 to 1."""
    for tokens in lengths:
        for step in range(depths):
            depth = step / (depths - 1) if depths > 1 else 0.5
            for index in range(per_cell):
                draw = random.Random(f"{seed}-{tokens}-{step}-{index}")
                yield needle(tokens, depth, count, draw, question)


def cell(source: str) -> tuple[int, float]:
    """Length and depth of a needle, from its row's `source`."""
    _, tokens, depth = source.split("/")
    return int(tokens), float(depth)
