"""The lines of a page of a PDF -> its text: prose joined, rows, lists and code kept line by line.

A line belongs to the paragraph above it where the layout broke that one for want of room.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from thoth.ingest import pdf_columns, pdf_order, pdf_table
from thoth.ingest.document import Kind
from thoth.ingest.pdf_line import BROKEN_WORD, Line
from thoth.ingest.pdf_lines import is_wide

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")
_ASCII_CONTROL = bytes(code for code in range(128) if _CONTROL.match(chr(code)))
_LIGATURE = re.compile(r"[\ufb00-\ufb06]")
_LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
)
_ITEM = re.compile(
    r"(?:[-*\u2013\u2022\u2023\u25aa\u25cf\u25e6\u00b7\uf0b7]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})[.)])\s+\S"
)
_LEADERS = re.compile(r"(?:\.\s?){4,}")
_HYPHEN = "\u2010"  # unlike `-`, PDFium takes it for a letter
_BREAKS = (_HYPHEN, *BROKEN_WORD)
_SENTENCE_END = ".!?:;\u2026\u3002\uff01\uff1f"
_FIRST_WIDE = "\u2e80"
_WIDE_SCRIPT = re.compile(r"[\u2e80-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]")

# Measures in heights of a line ("em") or as shares; letters are about half an em wide.
_PROSE_WIDTH = 11.0  # a narrow column of a newspaper; addresses and prices are narrower
_SAME_SIZE = 0.12
_RAGGED = 0.04  # of a column's width: few writers fill a line to the last point
_NEXT_LINE = 1.9  # the distance of two lines of a paragraph, at most
_DOUBLE, _FEWEST_DOUBLE = 2.7, 5  # the same where most lines are double-spaced, and how many must be
_PARAGRAPH = 1.35  # of the usual distance: more is an empty line


class Group(NamedTuple):
    """Lines of a page that belong together.

    Attributes:
        kind: what they are.
        text: of them.
        apart: whether there is room between them and what is above.
    """

    kind: Kind
    text: str
    apart: bool = True


def groups(lines: Sequence[Line]) -> Iterator[Group]:
    """Yield the paragraphs, lists, tables and pieces of code that lines form, in reading order."""
    ordered = pdf_columns.in_order(lines)
    pitch = _pitch(ordered)
    whole = "\n".join(line.text for line in ordered).replace(_HYPHEN, "-")
    blocks = pdf_order.from_top(list(_blocks(ordered, pitch)))
    found: list[Group] = []
    ends: list[int] = []  # the last group of each block
    for number, block in enumerate(blocks):
        written = list(_written(block, whole, pitch))
        before = pdf_order.column_before(blocks, number)
        end = len(found) - 1
        if before is not None and (text := _over_columns(found[ends[before]], written[0], whole)) is not None:
            end = ends[before]
            found[end] = found[end]._replace(text=text)
            del written[0]
        found += [group._replace(apart=at == 0) for at, group in enumerate(written)]
        ends.append(len(found) - 1 if written else end)
    for group in found:
        yield group._replace(text=clean(_hyphenated(group.text)))


def _pitch(lines: Sequence[Line]) -> float:
    """Return the usual distance of two lines, as a multiple of their height."""
    places = [(line.bottom, line.size) for line in lines]
    steps = [(above - below) / size for (above, size), (below, _) in pairwise(places)]
    near = [step for step in steps if 0.5 < step < _NEXT_LINE]
    double = [step for step in steps if _NEXT_LINE <= step < _DOUBLE]
    if len(double) >= _FEWEST_DOUBLE and len(double) > 2 * len(near):  # manuscripts and theses
        return statistics.median(double)
    return statistics.median(near) if near else 1.2


def _blocks(lines: Sequence[Line], pitch: float) -> Iterator[list[Line]]:
    """Yield lines that stand close below each other."""
    most = max(_PARAGRAPH * pitch, 1.3)
    block: list[Line] = []
    for line in lines:
        if block:
            above = block[-1]
            down = above.bottom - line.bottom
            is_near = -0.6 < down / above.size <= most and above.mono == line.mono
            # Lines of a paragraph have letters of one size; beside each other they may have others.
            if not is_near or (abs(above.size - line.size) > _SAME_SIZE * above.size and down >= 0.5 * above.size):
                yield block
                block = []
        block.append(line)
    if block:
        yield block


def _written(block: Sequence[Line], whole: str, pitch: float) -> Iterator[Group]:
    """Write one block of lines as groups of one kind each."""
    if len(block) > 1 and all(line.mono for line in block):
        yield Group("code", "\n".join(_indented(block)))
        return
    items = [_ITEM.match(line.text) is not None for line in block]
    kinds: list[Kind] = [
        "table" if _is_row(line) or (in_table and not is_item) else "list" if is_item else "paragraph"
        for line, is_item, in_table in zip(block, items, pdf_table.rows(block), strict=True)
    ]
    kind, text = kinds[0], block[0].text
    goes_on = _going_on(block, items, pitch) if len(block) > 1 else []
    for above, line, (before, this), fits in zip(block, block[1:], pairwise(kinds), goes_on, strict=False):
        if text.endswith(_BREAKS) and this != "table" and (word := _joined(text, line.text, whole)) is not None:
            text = word
        elif fits and "table" not in (before, this):
            text += _between(text, line.text) + line.text
        elif kind == this or (kind == "list" and this == "paragraph" and _hangs(above, line)):
            text = f"{_hyphenated(text)}\n{line.text}"
        else:
            yield Group(kind, text)
            kind, text = this, line.text
    yield Group(kind, text)


def _over_columns(group: Group, following: Group, whole: str) -> str | None:
    """Join a paragraph with its rest in the next column; None where that column begins a new sentence."""
    if group.kind == "table" or following.kind != "paragraph" or not following.text[0].islower():
        return None
    if (text := _joined(group.text, following.text, whole)) is not None:
        return text
    if group.kind == "code" or group.text[-1] in _SENTENCE_END:
        return None
    return group.text + _between(group.text, following.text) + following.text


def _is_row(line: Line) -> bool:
    text = line.text
    if line.gaps and is_wide(line.gaps, text, line.size):
        return True
    return (". ." in text or "...." in text) and _LEADERS.search(text) is not None


def _going_on(block: Sequence[Line], items: Sequence[bool], pitch: float) -> list[bool]:
    """Tell of each line of a block but the first whether the sentence above goes on in it."""
    lefts, rights = [line.left for line in block], [line.right for line in block]
    edge = max(rights)
    full = [
        right + _first_word(line.text) * ((line.right - line.left) / len(line.text)) > edge - _RAGGED * (edge - left)
        for left, right, line in zip(lefts, rights, block[1:], strict=False)
    ]
    inner = [fills for fills, is_item in zip(full, items[1:], strict=True) if not is_item]
    if edge - min(lefts) <= _PROSE_WIDTH * block[0].size or 2 * sum(inner) < len(inner):
        return [False] * len(full)
    enough, most = sum(full) >= 3, max(_NEXT_LINE, 1.1 * pitch)
    return [
        fills
        and not below_is_item
        and 0.4 < (above.bottom - below.bottom) / above.size < most
        and _continues(above, below, above_is_item, enough)
        for fills, (above, below), (above_is_item, below_is_item) in zip(
            full, pairwise(block), pairwise(items), strict=True
        )
    ]


def _hangs(above: Line, below: Line) -> bool:
    """Tell whether a line stands further in than the item above it begins."""
    return below.left > above.left - 0.5 * below.size


def _first_word(text: str) -> int:
    """Return how many letters the first word of a line needs at the end of the line above, its space included."""
    return 2 if text >= _FIRST_WIDE and _WIDE_SCRIPT.match(text) else len(text.split(maxsplit=1)[0]) + 1


def _continues(above: Line, below: Line, above_is_item: bool, enough: bool) -> bool:
    """Tell whether a line goes on with the full line above it; `enough` are full to know how wide they get."""
    if above.ends or below.ends or (below.left - above.left > 3 * above.size and not above_is_item):
        return False
    if above.text[-1] in _SENTENCE_END:
        return enough and below.left <= above.left + 0.5 * above.size
    # One long line above another may be two rows; a small letter says that the sentence goes on.
    return enough or (not below.text[0].isupper() and not below.text[0].isdigit())


def _joined(text: str, following: str, whole: str) -> str | None:
    """Put a word that is broken at the line's end together; None where none is."""
    is_hyphen = text.endswith(_HYPHEN) and following[:1].islower() and text[-2:-1].isalpha()
    if not is_hyphen and not text.endswith(BROKEN_WORD):
        return None
    left, right = text[:-1], following
    compound = f"{left.split()[-1] if left.split() else ''}-{right.split()[0] if right.split() else ''}".strip(",.;:")
    keeps = bool(right) and (right[0].isupper() or right[0].isdigit() or compound in whole)
    return left + ("-" if keeps else "") + right


def _hyphenated(text: str) -> str:
    """Return a text with a hyphen at its end where its last word continues on another page or in another cell."""
    return f"{text[:-1]}-" if text.endswith(BROKEN_WORD) else text


def _between(before: str, after: str) -> str:
    if before.endswith("-") and not before.endswith(" -"):
        return ""
    # Chinese and Japanese have no spaces: a space would be read as one, a line's end is not.
    return "\n" if after >= _FIRST_WIDE and _WIDE_SCRIPT.match(before[-1:]) and _WIDE_SCRIPT.match(after) else " "


def _indented(block: Sequence[Line]) -> Iterator[str]:
    """Yield lines of code with the indentation that they have on the page."""
    margin = min(line.left for line in block)
    letter = max(statistics.median((line.right - line.left) / len(line.text) for line in block), 0.1)
    for line in block:
        yield " " * max(0, round((line.left - margin) / letter)) + line.text


def clean(text: str) -> str:
    """Return a text without control characters and lone surrogates, ligatures as letters."""
    if text.isascii():
        return text.encode().translate(None, _ASCII_CONTROL).decode()  # faster than to look for one
    text = text.encode(errors="ignore").decode()  # broken fonts yield lone surrogates
    if _LIGATURE.search(text):
        text = text.translate(_LIGATURES)
    text = text.replace("\u00ad", "-")  # what is drawn is a hyphen; at a line's end it is gone by now
    return text if text.replace("\n", "").isprintable() else _CONTROL.sub("", text)


def plain(lines: Iterable[str]) -> Iterator[Group]:
    """Yield lines without known places as one paragraph."""
    text = clean("\n".join(lines)).strip()
    if text:
        yield Group("paragraph", text)
