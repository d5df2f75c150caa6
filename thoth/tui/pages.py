"""A document's text in pieces that fit a screen: its pages, or stretches of text if it has no pages."""

from __future__ import annotations

from typing import NamedTuple

from thoth.ingest import Document

# Longer pages, mostly tables, are cut: the time to lay out a text grows with its length.
_MOST_CHARACTERS = 8_000


class Piece(NamedTuple):
    """A stretch of a document's text, and its page from 1 if the format has pages."""

    start: int
    end: int
    page: int | None


def pieces(document: Document) -> list[Piece]:
    """Cut a document into pages, and long pages at line ends. The pieces together are the complete text."""
    begins = [Piece(0, 0, None)]
    for block in document.blocks:
        if block.page != begins[-1].page:
            begins.append(Piece(block.start, block.start, block.page))
    ends = [*(piece.start for piece in begins[1:]), len(document.text)]
    whole = [piece._replace(end=end) for piece, end in zip(begins, ends, strict=True)]
    return [part for piece in whole if piece.end > piece.start for part in _cut(document.text, piece)]


def _cut(text: str, piece: Piece) -> list[Piece]:
    parts, start = [], piece.start
    while piece.end - start > _MOST_CHARACTERS:
        most = start + _MOST_CHARACTERS
        ends = (text.rfind(mark, start + _MOST_CHARACTERS // 2, most) + len(mark) for mark in ("\n\n", "\n", " "))
        end = next((end for end in ends if end > start), most)
        parts.append(Piece(start, end, piece.page))
        start = end
    return [*parts, Piece(start, piece.end, piece.page)]
