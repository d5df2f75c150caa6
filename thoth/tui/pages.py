"""A document's text in segments that fit a screen: its pages, or stretches of text if it has no pages."""

from __future__ import annotations

from typing import NamedTuple

from thoth.ingest import Document

# Longer pages, mostly tables, are cut: the time to lay out a text grows with its length.
_MOST_CHARACTERS = 8_000


class Segment(NamedTuple):
    """A stretch of a document's text, and its page from 1 if the format has pages."""

    start: int
    end: int
    page: int | None


def segments(document: Document) -> list[Segment]:
    """Cut a document into pages, and long pages at line ends. The segments together are the complete text."""
    begins = [Segment(0, 0, None)]
    for block in document.blocks:
        if block.page != begins[-1].page:
            begins.append(Segment(block.start, block.start, block.page))
    ends = [*(segment.start for segment in begins[1:]), len(document.text)]
    whole = [segment._replace(end=end) for segment, end in zip(begins, ends, strict=True)]
    return [part for segment in whole if segment.end > segment.start for part in _cut(document.text, segment)]


def _cut(text: str, segment: Segment) -> list[Segment]:
    parts, start = [], segment.start
    while segment.end - start > _MOST_CHARACTERS:
        most = start + _MOST_CHARACTERS
        ends = (text.rfind(mark, start + _MOST_CHARACTERS // 2, most) + len(mark) for mark in ("\n\n", "\n", " "))
        end = next((end for end in ends if end > start), most)
        parts.append(Segment(start, end, segment.page))
        start = end
    return [*parts, Segment(start, segment.end, segment.page)]
