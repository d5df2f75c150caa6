"""Blocks of lines in the order in which they were drawn -> the order in which they are read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

from thoth.ingest.pdf_line import Line

_MOST_BLOCKS = 200  # of a page whose order is looked at
_MOST_NOTES = 6  # blocks of small letters at a column's foot
_SAME_SIZE = 0.12
_LEAST_UP = 4.0  # heights of a line from a column's end up to the next one's begin; cells of a table are lower


class _Box(NamedTuple):
    """Where a block stands."""

    left: float
    bottom: float
    right: float
    top: float


def from_top(blocks: list[list[Line]]) -> list[list[Line]]:
    """Put blocks that stand one below the other in that order: programs may draw a page's head or title last.

    Where two stand beside each other, or one would move past another column, the order in which they were drawn stays.
    """
    if all(below[0].bottom <= above[0].bottom for above, below in pairwise(blocks)) or len(blocks) > _MOST_BLOCKS:
        return blocks
    if 2 * sum(len(block) for block in blocks if len(block) > 1) < sum(map(len, blocks)):
        return blocks  # lines that stand alone may run upwards: the page was scanned upside down
    boxes = [_box(block) for block in blocks]
    order = sorted(range(len(blocks)), key=lambda at: -boxes[at].top)
    if any(boxes[above].bottom < boxes[below].top for above, below in pairwise(order)):
        return blocks
    if any(
        one.top < other.top and (one.left >= other.right or other.left >= one.right)
        for one, other in combinations(boxes, 2)
    ):
        return blocks
    return [blocks[at] for at in order]


def column_before(blocks: Sequence[Sequence[Line]], at: int) -> int | None:
    """Return which block ends a column where another begins the next one, None where it begins none.

    Args:
        blocks: of a page, in reading order; notes at a column's foot, in smaller letters, end none.
        at: the other block's place among them.
    """
    first = blocks[at][0]
    if not at or first.bottom - blocks[at - 1][-1].bottom <= _LEAST_UP * first.size:
        return None
    for before in range(at - 1, max(at - 1 - _MOST_NOTES, -1), -1):
        last = blocks[before][-1]
        if last.size >= (1 - _SAME_SIZE) * first.size:
            is_up = first.bottom - last.bottom > _LEAST_UP * first.size
            is_beside = first.left >= max(line.right for line in blocks[before])
            return before if is_up and is_beside and last.size <= (1 + _SAME_SIZE) * first.size else None
    return None


def _box(block: Sequence[Line]) -> _Box:
    return _Box(
        min(line.left for line in block),
        min(line.bottom for line in block),
        max(line.right for line in block),
        max(line.bottom + 0.6 * line.size for line in block),
    )
