"""Headings that only their numbers show: "1. Parties" alone on a line, its paragraph below it, "2. Term" further down.

Plain text, most PDFs and many Word files mark no heading. Of a numbered line alone nobody can tell whether it is an
item of a list; that others count on from it, each with text of its own below, tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from thoth.ingest.document import Block, Document, Headings
from thoth.ingest.text_blocks import kind_of

_WORD = r"(?:§|art(?:ikel|icle|icolo|ículo)?\.?|sec(?:tion)?\.?|clause|chapter|kapitel|chapitre|part|teil)"
# How a line begins that counts: 2. or 2.1, IV., Article 3 or § 3:
_COUNT = re.compile(
    rf"[ \t]*(?:(\d{{1,2}}(?:\.\d{{1,2}}){{0,3}})[.)]?[ \t]+|([IVX]{{1,5}})\.[ \t]+"
    rf"|(?i:({_WORD}))[ \t]*(\d{{1,3}})(?![\d.,]*\d)[.:)]?(?:[ \t]*[–—-])?[ \t]*)"
)
_TITLE = re.compile(r"[^\W\d_](?:[^\n]{0,68}[^\n.,;:!\s])?[ \t]*")
_FIRST_ITEM = re.compile(r"[ \t]*(?:[-*\u2022]|\(?[1a][.)])[ \t]+\S")
_ROMAN = {
    roman: number
    for number, roman in enumerate("I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX".split(), 1)
}
_FEWEST = 2
_MOST_WORDS = 10
# A line that ends before this share of the longest one below it was not broken for want of room.
_SHORT = 0.75


class _Line(NamedTuple):
    """A line that may be a heading: its block, where it ends, how it counts, its number, what is below it there."""

    block: int
    end: int
    style: str
    number: tuple[int, ...]


def with_headings(document: Document) -> Document:
    """Return a document with the lines that count its sections as headings, where it has no others but a title."""
    if any(block.kind == "heading" for block in document.blocks[1:]):
        return document
    lines = _counted(list(_standing(document)))
    return replace(document, blocks=tuple(_sections(document, lines))) if lines else document


def _standing(document: Document) -> Iterator[_Line]:
    """Yield the numbered lines that stand alone, or above the text that they head."""
    text, blocks = document.text, document.blocks
    found = [_line(text, at, block) for at, block in enumerate(blocks)]
    for at, line in enumerate(found):
        if line is None:
            continue
        following = found[at + 1] if at + 1 < len(found) else None
        has_text = line.end < blocks[at].end or (at + 1 < len(blocks) and following is None)
        if has_text or (following is not None and len(following.number) > len(line.number)):
            yield line


def _line(text: str, at: int, block: Block) -> _Line | None:
    """Return the first line of a block as a heading; None where it cannot be one."""
    if block.kind not in ("list", "paragraph"):
        return None
    end = text.find("\n", block.start, block.end)
    end = block.end if end < 0 else end
    if not _is_heading(text[block.start : end]):
        return None
    if end < block.end:
        below = text[end : block.end].strip("\n").split("\n")
        is_broken = end - block.start > _SHORT * max(map(len, below))
        begins = below[0].strip()[:1].isupper() or _FIRST_ITEM.match(below[0])
        if is_broken or not begins or _is_heading(below[0]):
            return None
    found = _COUNT.match(text, block.start, end)
    assert found is not None
    number, roman, word, counted = found.groups()
    if number:
        return _Line(at, end, "", tuple(map(int, number.split("."))))
    if roman:
        return _Line(at, end, "roman", (_ROMAN[roman],)) if roman in _ROMAN else None
    return _Line(at, end, word.lower(), (int(counted),))


def _is_heading(line: str) -> bool:
    found = _COUNT.match(line)
    if found is None or len(line.split()) > _MOST_WORDS:
        return False
    return _TITLE.fullmatch(line, found.end()) is not None or (bool(found[4]) and not line[found.end() :].strip())


def _counted(lines: Sequence[_Line]) -> list[_Line]:
    """Return the lines that count on: of the styles, those of the one with the most."""
    best: list[_Line] = []
    for style in dict.fromkeys(line.style for line in lines):
        chain: list[_Line] = []
        last: tuple[int, ...] = ()
        for line in lines:
            if line.style == style and _counts_on(last, line.number):
                chain.append(line)
                last = line.number
        best = max(best, chain, key=len)
    return best if len(best) >= _FEWEST else []


def _counts_on(last: tuple[int, ...], number: tuple[int, ...]) -> bool:
    """Tell whether a section's number comes right after another's: 3 or 2.2 or 2.1.1 after 2.1; 1 begins."""
    if not last:
        return number in ((1,), (1, 1))
    depth = len(number)
    if depth > len(last):
        return number == (*last, *[1] * (depth - len(last)))
    return number == (*last[: depth - 1], last[depth - 1] + 1)


def _sections(document: Document, lines: Sequence[_Line]) -> Iterator[Block]:
    """Yield the blocks with the headings that they are under now."""
    chosen = {line.block: line for line in lines}
    headings, below = Headings(), 0
    for at, block in enumerate(document.blocks):
        if at == 0 and block.kind == "heading":
            headings.enter(1, block.headings[-1])
            below = 1
        line = chosen.get(at)
        if line is None:
            yield replace(block, headings=headings.path or block.headings)
            continue
        headings.enter(below + len(line.number), document.text[block.start : line.end])
        yield Block("heading", block.start, line.end, headings.path, block.page)
        if line.end < block.end:
            inner = document.text[line.end : block.end]
            start = line.end + len(inner) - len(inner.lstrip())
            yield Block(kind_of(document.text[start : block.end]), start, block.end, headings.path, block.page)
