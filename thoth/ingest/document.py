"""What every format becomes: one text, and blocks that say which part of it is what.

A block is a span of the text, so nothing is stored twice and nothing between two blocks can get lost.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Container, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from thoth.ingest.stamps import Stamp

_SOFT_HYPHEN = "\u00ad"  # where a word may be broken, which no page shows
# Dots across a line, to a page or a price, or to write on; each would be a token.
_LEADERS = re.compile(r"(?:\. ?){4,}\.")

Kind = Literal["heading", "paragraph", "list", "table", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a document's text that belongs together.

    Attributes:
        kind: what it is.
        start: where it begins in the text.
        end: where it ends, exclusive; only whitespace lies between two blocks.
        headings: the headings it stands under, outermost first; a heading stands under itself.
        page: its page, from 1, or None for a format without pages.
    """

    kind: Kind
    start: int
    end: int
    headings: tuple[str, ...] = ()
    page: int | None = None


@dataclass(frozen=True)
class Document:
    """A document as Thoth reads it.

    Attributes:
        name: the file's name, safe to show on a terminal.
        text: all of its text; never empty.
        pages: number of pages, or None for a format without pages.
        blocks: the parts of the text in order; empty where nothing is known about them.
        stamp: the version of the file that it was read from; None for what comes from no file.
    """

    name: str
    text: str
    pages: int | None = None
    blocks: tuple[Block, ...] = ()
    stamp: Stamp | None = field(default=None, compare=False)

    @property
    def sha256(self) -> str:
        """SHA-256 of the text, in hex: the document's identity, whatever file it came in."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class PageRead:
    """A page that a reader is done with, while it goes on to the next.

    Attributes:
        number: from 1.
        total: pages of the document.
        text: of the page; an empty line comes between it and the page before.
        blocks: of the page, at their places in the whole text.
    """

    number: int
    total: int
    text: str
    blocks: tuple[Block, ...]


OnPage = Callable[[PageRead], None]

# Yields pages that are read and pages there are; returns the document.
Reading = Generator[tuple[int, int], None, Document]


def complete(pages: Reading, on_page: Callable[[int, int], object] = lambda *_: None) -> Document:
    """Run a reading to its end; errors are its own.

    Args:
        pages: the reading.
        on_page: called with the number of pages that are read and of pages there are.
    """
    while True:
        try:
            on_page(*next(pages))
        except StopIteration as end:
            document: Document = end.value
            return document


def ignore(_: PageRead) -> None:
    """Take a page and do nothing."""


class Headings:
    """The headings in force at one place of a document."""

    def __init__(self) -> None:
        self._levels: list[int] = []
        self.path: tuple[str, ...] = ()

    def enter(self, level: int, title: str) -> tuple[str, ...]:
        """Enter the section of a heading and return its path; a smaller level is further out."""
        while self._levels and self._levels[-1] >= level:
            self._levels.pop()
        self.path = (*self.path[: len(self._levels)], " ".join(title.split()))
        self._levels.append(level)
        return self.path


@dataclass(frozen=True, slots=True)
class LooseBlock:
    """A block before it has its place in a text.

    Attributes:
        kind: what it is.
        text: what it says.
        level: that of a heading, from 1.
        page: its page, sheet or slide, from 1; None for a format without pages.
    """

    kind: Kind
    text: str
    level: int = 0
    page: int | None = None


def assemble(name: str, parts: Iterable[LooseBlock], pages: int | None = None) -> Document:
    """Write the parts one below the other, an empty line between them."""
    texts: list[str] = []
    blocks: list[Block] = []
    headings, at = Headings(), 0
    for part in parts:
        text = with_short_leaders(part.kind, part.text.replace(_SOFT_HYPHEN, ""))
        if not text.strip():
            continue
        if part.kind == "heading":
            headings.enter(part.level, text)
        blocks.append(Block(part.kind, at, at + len(text), headings.path, part.page))
        texts.append(text)
        at += len(text) + 2
    return Document(name, "\n\n".join(texts), pages, tuple(blocks))


def with_short_leaders(kind: Kind, text: str) -> str:
    """Return the text of a block, with three dots for each row of five or more; code is not changed."""
    if kind == "code" or not (".." in text or ". ." in text):  # the pattern takes twenty times as long to find none
        return text
    return _LEADERS.sub("...", text)


def merged(parts: Iterable[LooseBlock], kinds: Container[Kind]) -> Iterator[LooseBlock]:
    """Join neighbours of one of some kinds: items of a list or lines of code that are paragraphs of their own."""
    lines: list[LooseBlock] = []
    for part in parts:
        if lines and (part.kind != lines[0].kind or part.kind not in kinds):
            yield replace(lines[0], text="\n".join(line.text for line in lines))
            lines = []
        lines.append(part)
    if lines:
        yield replace(lines[0], text="\n".join(line.text for line in lines))


def parts_of(document: Document) -> list[LooseBlock]:
    """Return a document's blocks as parts of another one; pages are those of the other."""
    if not document.blocks:
        return [LooseBlock("paragraph", document.text)]
    return [
        LooseBlock(
            block.kind, document.text[block.start : block.end], len(block.headings) if block.kind == "heading" else 0
        )
        for block in document.blocks
    ]


def table(rows: Iterable[Iterable[str]]) -> str:
    """Write a table as lines of `cell | cell`; empty rows, and empty columns at the right, are left out."""
    lines = [[" ".join(cell.split()) for cell in row] for row in rows]
    width = max((i + 1 for cells in lines for i, cell in enumerate(cells) if cell), default=0)
    return "\n".join(" | ".join(cells[:width]).rstrip() for cells in lines if any(cells))
