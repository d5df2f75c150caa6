"""A line of a page of a PDF: what it says, and where it stands."""

from __future__ import annotations

from typing import NamedTuple

# PDFium marks a word broken at the line's end with one of these instead of the hyphen.
BROKEN_WORD = ("\x02", "\ufffe")
COLUMN_LETTERS = 14  # in a line of a column, usually

Gap = tuple[int, float, float]
Gaps = tuple[Gap, ...]


class Line(NamedTuple):
    """A line of a page, or of one column; distances in points, from the lower left corner.

    Attributes:
        text: without blanks at its ends.
        left: where its first letter begins.
        right: where its last letter ends.
        bottom: its baseline.
        size: height of a line of its font.
        mono: whether all letters are equally wide.
        gaps: wide spaces in it: (place in the text behind it, where it begins, where it ends).
        ends: whether nothing goes on in the next line: a label with the value behind it.
    """

    text: str
    left: float
    right: float
    bottom: float
    size: float
    mono: bool = False
    gaps: Gaps = ()
    ends: bool = False


class LineSpan(NamedTuple):
    """A line's place in the text of the page, and PDFium's numbers for its first and last letter."""

    place: int
    first: int
    last: int
