"""Cells of a table that PDFium gives as lines of their own -> the row that they are, also where one has more lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from thoth.ingest.pdf_line import Line

_SAME_LINE = 0.1  # heights of the smaller line
_SAME_LEFT = 0.3
_MOST_LINES = 8  # of one cell


def together(lines: Iterable[Line]) -> list[Line]:
    """Put the cells of a row together: one stands right of the other.

    Args:
        lines: of a page, in the order in which they were drawn.

    Returns:
        The lines. A cell behind one of several lines stands behind the last of those.
    """
    result: list[Line] = []
    row: int | None = None  # where the last row begins that has several cells
    for line in lines:
        if result and line.left >= result[-1].right and _is_beside(result[-1], line):
            result[-1] = _joined(result[-1], line)
            row = len(result) - 1
        elif row is not None and len(result) - row <= _MOST_LINES and _ends_row(result[row:], line):
            result[-1] = _joined(result[-1], line)
        elif row is not None and _begins_row(result[row], result[max(row + 1, len(result) - _MOST_LINES) :], line):
            result[-1] = _joined(result[-1], line)._replace(bottom=line.bottom)
            row = len(result) - 1
        else:
            result.append(line)
            row = len(result) - 1 if line.gaps else row
    return result


def _is_beside(above: Line, line: Line) -> bool:
    return abs(above.bottom - line.bottom) <= _SAME_LINE * min(line.size, above.size) and line.left >= above.right


def _ends_row(row: Sequence[Line], line: Line) -> bool:
    """Tell whether a line is the next cell of a row whose last cell so far goes on below the others."""
    first, *below = row
    if not below or not first.gaps or not _is_beside(first, line):
        return False
    begins = first.gaps[-1][2] - 0.5 * first.size
    return all(begins <= one.left and one.right <= line.left and one.bottom < first.bottom for one in below)


def _begins_row(row: Line, below: Sequence[Line], line: Line) -> bool:
    """Tell whether a line is the second cell of a row whose first has several lines: it stands in a column of a row."""
    if not any(abs(line.left - gap[2]) < _SAME_LEFT * line.size for gap in row.gaps):
        return False
    for count, one in enumerate(reversed(below), 1):
        if abs(one.left - row.left) > _SAME_LEFT * one.size or one.right > line.left:
            return False
        if abs(one.bottom - line.bottom) <= _SAME_LINE * line.size:
            return count > 1
    return False


def _joined(before: Line, line: Line) -> Line:
    at = len(before.text) + 1
    shifted = ((at + place, begin, end) for place, begin, end in line.gaps)
    gaps = (*before.gaps, (at, before.right, line.left), *shifted)
    return before._replace(text=f"{before.text} {line.text}", right=line.right, gaps=gaps)
