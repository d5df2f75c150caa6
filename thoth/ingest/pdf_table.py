"""Lines of a page whose spaces stand one below the other -> which of them are rows of a table.

Tables of papers have no lines between their columns, and columns hardly farther apart than the words of justified
prose. But all their rows leave the same places empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from thoth.ingest.pdf_line import Line

_ROWS = 3  # fewer lines leave the same place empty by chance
_LEAST = 0.6  # of an em that all of them leave empty

_Strips = list[tuple[float, float]]


def rows(lines: Sequence[Line]) -> list[bool]:
    """Tell of each line whether it is a row: it leaves the same strip empty as two others above or below it.

    Args:
        lines: that stand below each other, from the top.
    """
    found = [False] * len(lines)
    for first in range(len(lines) - _ROWS + 1):
        if lines[first].gaps and _share_a_strip(lines[first : first + _ROWS]):
            found[first : first + _ROWS] = [True] * _ROWS
    return found


def _share_a_strip(lines: Sequence[Line]) -> bool:
    strips: _Strips = [(begin, end) for _, begin, end in lines[0].gaps]
    for above, line in pairwise(lines):
        least = _LEAST * max(above.size, line.size)
        shared = ((max(one, begin), min(other, end)) for one, other in strips for _, begin, end in line.gaps)
        strips = [(begin, end) for begin, end in shared if end - begin >= least]
    return bool(strips)
