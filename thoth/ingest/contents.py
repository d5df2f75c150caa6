"""Where a document's table of contents is: it names everything and says nothing.

Its lines have the words of every heading, so a search by words would find them before what they point to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from thoth.ingest.document import Document

_LEADERS = r"(?:\.[ \t]?){3,}"
# Dots lead to the number of a page; in LaTeX's lines of chapters there are none.
_ENTRY = re.compile(rf"[^\n]*\S[ \t]*{_LEADERS}[ \t]*(\d{{1,4}}|[ivxlc]{{1,7}})[ \t]*")
_BARE = re.compile(r"[^\n]*\S[ \t]+(\d{1,4})[ \t]*")
_FEWEST = 5  # entries
_LONGEST = 400  # letters of one
_BETWEEN = 3  # most lines without a number between two entries: a page's footer, an entry of two lines


def without_contents(text: str, start: int, spans: Sequence[tuple[int, int]]) -> str:
    """Return a part of a document without what is in some spans of the document.

    Args:
        text: the part.
        start: where it begins in the document's text.
        spans: as `contents` returns them.
    """
    left, at = "", start
    for first, after in spans:
        if first < start + len(text) and after > at:
            left += text[at - start : max(first, at) - start]
            at = after
    return left + text[at - start :]


def contents(document: Document) -> list[tuple[int, int]]:
    """Find the tables of contents of a document with pages.

    It is a run of lines in which dots lead to the number of a page. Numbers never decrease, and none is larger than
    that of the last page; those of a price list decrease now and then, or are larger.

    Returns:
        Where each begins and ends in the document's text, in its order.
    """
    return [] if document.pages is None else [*_runs(document.text, document.pages)]


def _runs(text: str, last: int) -> Iterator[tuple[int, int]]:
    first, after, page, entries, between = 0, 0, 0, 0, 0
    for line in re.finditer(r"[^\n]+", text):
        if not line[0].strip():
            continue
        short = len(line[0]) <= _LONGEST
        entry = _ENTRY.fullmatch(line[0]) if short else None
        found = entry or (_BARE.fullmatch(line[0]) if entries and short else None)
        # A preface has pages of its own, in Roman numbers.
        number = last + 1 if found is None else int(found[1]) if found[1].isdigit() else page
        if page <= number <= last:
            first = first if entries else line.start()
            after, page, entries, between = line.end(), number, entries + (entry is not None), 0
            continue
        between += 1
        if entry is None and between <= _BETWEEN:
            continue
        if entries >= _FEWEST:
            yield first, after
        page, entries, between = 0, 0, 0
        if entry is not None and number <= last:
            first, after, page, entries = *line.span(), number, 1
    if entries >= _FEWEST:
        yield first, after
