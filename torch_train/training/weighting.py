"""How often each data set is drawn: in proportion to its size, but small ones no less than a floor."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate


def shares(sizes: Sequence[int], floor: float) -> list[float]:
    """Share of each data set in an epoch; their sum is 1.

    Data sets of at most `floor` of all get just that, the others what is left, in proportion to their sizes.

    Source: `get_ds_prob` of SakanaAI/doc-to-lora at baa85db, where the floor is 0.01.
    """
    total = sum(sizes)
    small = [size <= floor * total for size in sizes]
    rest = 1 - floor * sum(small)
    large = sum(size for size, is_small in zip(sizes, small, strict=True) if not is_small)
    return [floor if is_small else rest * size / large for size, is_small in zip(sizes, small, strict=True)]


def repeated(unit_rows: Sequence[int], rows: Sequence[int], floor: float, draw: random.Random) -> list[int]:
    """One epoch in which every data set has its share, and everything of each appears at least once.

    Args:
        unit_rows: Row of each unit among all data sets, for what is drawn.
        rows: Number of rows of each data set, in their order.
        floor: Least share of a data set. An empty one has none.
        draw: Which units fill up the last, partial repetition.

    Returns:
        Numbers of units.
    """
    ends = list(accumulate(rows))
    parts: list[list[int]] = [[] for _ in rows]
    for unit, row in enumerate(unit_rows):
        parts[bisect_right(ends, row)].append(unit)
    parts = [part for part in parts if part]
    wanted = shares([len(part) for part in parts], floor)
    length = max(len(part) / share for part, share in zip(parts, wanted, strict=True))
    epoch: list[int] = []
    for part, share in zip(parts, wanted, strict=True):
        whole, left = divmod(round(share * length), len(part))
        epoch += part * whole + draw.sample(part, left)
    return epoch
