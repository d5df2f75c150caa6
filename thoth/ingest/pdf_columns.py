"""Columns of prose that were drawn line by line across the page -> one column after the other."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence

from thoth.ingest.pdf_line import BROKEN_WORD, COLUMN_LETTERS, Gap, Line

_COLUMN_LINES = 5  # fewer lines side by side are a table
_COLUMN_FILL = 0.7  # how full the lines of a column are, most of them

_HYPHEN_AT_END = re.compile(r"[^\W\d_]-\Z")

_Cell = tuple[float, int]  # how wide it is, and its letters


def in_order(lines: Sequence[Line]) -> list[Line]:
    """Put columns that were drawn line by line across the page one behind the other."""
    gutter = _gutter(lines)
    if gutter is None:
        return [*lines]
    ordered: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []

    def flush() -> None:
        ordered.extend(in_order(left))
        ordered.extend(in_order(right))
        left.clear()
        right.clear()

    for line in lines:
        cut = next((gap for gap in line.gaps if gap[1] <= gutter <= gap[2]), None)
        if cut is not None:
            left.append(_part(line, 0, cut[0], line.left, cut[1]))
            right.append(_part(line, cut[0], len(line.text), cut[2], line.right))
        elif line.right <= gutter and left:
            left.append(line)
        elif line.left >= gutter and right:
            right.append(line)
        else:  # a heading above both columns
            flush()
            ordered.append(line)
    flush()
    return ordered


def _gutter(lines: Sequence[Line]) -> float | None:
    """Return where the space between two columns of prose is, None where there is none.

    A table has spaces one below the other as well; but its cells are short, or of very different lengths.
    """
    places = sorted({round(gap[2], 1) for line in lines for gap in line.gaps})
    best: tuple[int, float] | None = None
    for place in places:
        cut = [(line, gap) for line in lines for gap in line.gaps if gap[1] < place <= gap[2] + 0.5 * line.size]
        if len(cut) < _COLUMN_LINES:
            continue
        gutter = max(gap[1] for _, gap in cut)
        narrow = [(line, gap) for line, gap in cut if gap[1] <= gutter <= gap[2]]
        if all(map(_is_prose, zip(*(_beside(line, gap) for line, gap in narrow), strict=True))):
            middle = (gutter + min(gap[2] for _, gap in narrow)) / 2
            best = max(best or (0, 0.0), (len(narrow), middle))
    return None if best is None else best[1]


def _beside(line: Line, gap: Gap) -> tuple[_Cell, _Cell]:
    """Return what stands left and right of a space, as far as the spaces before and behind it."""
    edges = [(0, line.left, line.left), *line.gaps, (len(line.text) + 1, line.right, line.right)]
    at = edges.index(gap)
    before, behind = edges[at - 1], edges[at + 1]
    return (gap[1] - before[2], gap[0] - before[0] - 1), (behind[1] - gap[2], behind[0] - gap[0] - 1)


def _is_prose(cells: Sequence[_Cell]) -> bool:
    widest = max((width for width, _ in cells), default=0.0)
    full = sum(width > _COLUMN_FILL * widest for width, _ in cells)
    return 2 * full > len(cells) and statistics.median(letters for _, letters in cells) >= COLUMN_LETTERS


def _part(line: Line, start: int, stop: int, left: float, right: float) -> Line:
    gaps = tuple((at - start, begin, end) for at, begin, end in line.gaps if start < at < stop)
    text = line.text[start:stop].strip()
    if stop < len(line.text) and _HYPHEN_AT_END.search(text):  # for PDFium, the line did not end there
        text = text[:-1] + BROKEN_WORD[0]
    return line._replace(text=text, left=left, right=right, gaps=gaps)
