"""A page of a PDF -> its text: columns one after the other, prose joined, rows, lists and code kept line by line.

PDFium gives the lines of a page in the order in which they were drawn. Where they stand on the page tells the rest:
a line belongs to the paragraph above it where the layout broke that one for want of room.
"""

from __future__ import annotations

import ctypes
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

from thoth.ingest.document import Kind

# PDFium marks a word broken at the line's end with one of these instead of the hyphen.
_BROKEN_WORD = ("\x02", "\ufffe")
_RAW_LINE = re.compile("[^\n\x02\ufffe]*(?:[\x02\ufffe](?:\r?\n)?|\n|\\Z)")  # the mark can stand for the end of a line
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")
_LIGATURE = re.compile(r"[\ufb00-\ufb06]")
_LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
)
_ITEM = re.compile(
    r"(?:[-*\u2013\u2022\u2023\u25aa\u25cf\u25e6\u00b7\uf0b7]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})[.)])\s+\S"
)
_SPACES = re.compile(r"\s+")
_LEADERS = re.compile(r"(?:\.\s?){4,}")
_MONO = re.compile(rb"courier|mono|consol|menlo|typewriter|cmtt|fixed|inconsolata|sourcecode", re.IGNORECASE)
_FIXED_PITCH = 0x1
_SENTENCE_END = ".!?:;\u2026\u3002\uff01\uff1f"
_WIDE_SCRIPT = re.compile(r"[\u2e80-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]")

# Measures in heights of a line ("em") or as shares; letters are about half an em wide.
_GAP, _GAP_AFTER_STOP = 1.8, 2.8  # between words of a row; justified prose stays below
_LEAST_GAP = 0.9  # between two columns
_PROSE_WIDTH = 11.0  # a narrow column of a newspaper; addresses and prices are narrower
_SAME_SIZE = 0.12
_RAGGED = 0.04  # of a column's width: few writers fill a line to the last point
_NEXT_LINE = 1.9  # the distance of two lines of a paragraph, at most
_PARAGRAPH = 1.35  # of the usual distance: more is an empty line
_COLUMN_LINES = 5  # fewer lines side by side are a table
_COLUMN_FILL = 0.7  # how full the lines of a column are, most of them
_COLUMN_LETTERS = 14
_DENSE = 1.15  # letters are this much wider apart where a line has a gap in it
_SAMPLED_GAPS = 50
_SAMPLE = 8  # every eighth line is looked at anyhow


@dataclass(frozen=True, slots=True)
class Line:
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
    gaps: tuple[tuple[int, float, float], ...] = ()
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of a page that belong together.

    Attributes:
        kind: what they are.
        text: of them.
        apart: whether there is room between them and what is above.
    """

    kind: Kind
    text: str
    apart: bool = True


def lines_of(text_page: Any, text: str, rotation: int = 0) -> list[Line]:
    """Return where the lines of a page stand.

    Args:
        text_page: PDFium's handle.
        text: of the page, as PDFium gives it.
        rotation: of the page, in degrees clockwise: 0, 90, 180 or 270.
    """
    chars = _Chars(text_page, rotation)
    found: list[Line] = []
    places: list[int] = []
    for raw in _RAW_LINE.finditer(text):
        stripped = raw[0].strip()
        if stripped:
            first = raw.start() + raw[0].index(stripped[0])
            if (line := chars.line(stripped, first)) is not None:
                found.append(line)
                places.append(first)
    return _rows_together(_with_gaps(found, places, chars))


def groups(lines: Sequence[Line]) -> Iterator[Group]:
    """Yield the paragraphs, lists, tables and pieces of code that lines form, in reading order."""
    ordered = _columns(lines)
    pitch = _pitch(ordered)
    whole = "\n".join(line.text for line in ordered)
    for block in _blocks(ordered, pitch):
        for at, group in enumerate(_written(block, whole)):
            yield replace(group, apart=at == 0)


class _Chars:
    """Asks PDFium for the places of letters; each question costs about a microsecond, so as few as possible."""

    def __init__(self, text_page: Any, rotation: int) -> None:
        import pypdfium2.raw as pdfium

        self._pdfium, self._page, self._rotation = pdfium, text_page, rotation
        self._box = pdfium.FS_RECTF()
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._flags = ctypes.c_int()
        self._name = ctypes.create_string_buffer(128)

    def _index(self, place: int) -> int:
        """Return PDFium's number for a letter of the text, negative where it has none."""
        return int(self._pdfium.FPDFText_GetCharIndexFromTextIndex(self._page, place))

    def _box_of(self, index: int) -> tuple[float, float, float, float] | None:
        """Return left, bottom, right and top of a letter."""
        if index < 0 or not self._pdfium.FPDFText_GetLooseCharBox(self._page, index, self._box):
            return None
        left, bottom, right, top = self._box.left, self._box.bottom, self._box.right, self._box.top
        match self._rotation:  # as the page is seen
            case 90:
                return bottom, -right, top, -left
            case 180:
                return -right, -top, -left, -bottom
            case 270:
                return -top, left, -bottom, right
        return left, bottom, right, top

    def line(self, text: str, place: int) -> Line | None:
        """Return the line whose first letter has a place in the text."""
        end = place + len(text) - 1
        start, stop = self._index(place), self._index(end)
        first, last = self._box_of(start), self._box_of(stop)
        if first is None or last is None:
            return None
        size = max(first[3] - first[1], last[3] - last[1], 0.1)
        mono = self._is_mono(start) and self._is_mono(stop)
        return Line(text, min(first[0], last[0]), max(first[2], last[2]), self._baseline(start), size, mono)

    def _baseline(self, index: int) -> float:
        self._pdfium.FPDFText_GetCharOrigin(self._page, index, self._x, self._y)
        x, y = self._x.value, self._y.value
        return {90: -x, 180: -y, 270: x}.get(self._rotation, y)

    def gaps(self, line: Line, place: int) -> tuple[tuple[int, float, float], ...]:
        """Return the wide spaces of a line."""
        found = []
        first, last = self._index(place), len(line.text) - 1
        # PDFium's numbers grow with places. Where the ends are equally far apart in both, so are all letters between.
        in_step = first >= 0 and self._index(place + last) == first + last
        for space in _SPACES.finditer(line.text):
            start, end = space.start() - 1, space.end()
            before = self._box_of(first + start if in_step else self._index(place + start))
            after = self._box_of(first + end if in_step else self._index(place + end))
            if before is not None and after is not None and after[0] - before[2] > _LEAST_GAP * line.size:
                found.append((end, before[2], after[0]))
        return tuple(found)

    def _is_mono(self, index: int) -> bool:
        self._pdfium.FPDFText_GetFontInfo(self._page, index, self._name, len(self._name), self._flags)
        return bool(self._flags.value & _FIXED_PITCH or _MONO.search(self._name.value))


def _with_gaps(lines: list[Line], places: list[int], chars: _Chars) -> list[Line]:
    """Look for wide spaces where letters are far apart; in all lines where a sample of them looks like columns."""
    prose = [at for at, line in enumerate(lines) if not line.mono and " " in line.text]
    if not prose:
        return lines
    density = {at: (lines[at].right - lines[at].left) / (lines[at].size * len(lines[at].text)) for at in prose}
    usual = statistics.median(density.values())
    sample = {at for number, at in enumerate(prose) if number % _SAMPLE == 0 or len(prose) < 3 * _SAMPLE}
    looked = sample | {at for at in prose if density[at] > _DENSE * usual}
    found = {at: chars.gaps(lines[at], places[at]) for at in looked}
    rows = [at for at in looked if _is_wide(found[at], lines[at])]
    while rows:  # the rows of a table stand together
        at = rows.pop()
        for near in {at - 2, at - 1, at + 1, at + 2} & density.keys() - found.keys():
            found[near] = chars.gaps(lines[near], places[near])
            if _is_wide(found[near], lines[near]):
                rows.append(near)
    if _may_be_columns([(lines[at], gap) for at in sample for gap in found[at]]):
        found |= {at: chars.gaps(lines[at], places[at]) for at in prose if at not in found}
    return [replace(line, gaps=found[at]) if found.get(at) else line for at, line in enumerate(lines)]


def _rows_together(lines: Sequence[Line]) -> list[Line]:
    """Put the cells of a row together where PDFium made lines of them: one stands right of the other."""
    result: list[Line] = []
    for line in lines:
        above = result[-1] if result else None
        if above is None or abs(above.bottom - line.bottom) > 0.1 * line.size or line.left < above.right:
            result.append(line)
            continue
        at = len(above.text) + 1
        shifted = ((at + place, begin, end) for place, begin, end in line.gaps)
        gaps = (*above.gaps, (at, above.right, line.left), *shifted)
        result[-1] = replace(above, text=f"{above.text} {line.text}", right=line.right, gaps=gaps)
    return result


def _may_be_columns(gaps: Sequence[tuple[Line, tuple[int, float, float]]]) -> bool:
    """Tell whether two lines have a space at one place, with enough letters on both sides."""
    wide = [(begin, end) for line, (at, begin, end) in gaps if min(at, len(line.text) - at) >= _COLUMN_LETTERS]
    return any(max(one[0], other[0]) < min(one[1], other[1]) for one, other in combinations(wide[:_SAMPLED_GAPS], 2))


def _columns(lines: Sequence[Line]) -> list[Line]:
    """Put columns that were drawn line by line across the page one behind the other."""
    gutter = _gutter(lines)
    if gutter is None:
        return [*lines]
    ordered: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []

    def flush() -> None:
        ordered.extend(_columns(left))
        ordered.extend(_columns(right))
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
        widths = [gap[1] - line.left for line, gap in narrow], [line.right - gap[2] for line, gap in narrow]
        letters = [gap[0] - 1 for _, gap in narrow], [len(line.text) - gap[0] for line, gap in narrow]
        if all(_is_prose(width, count) for width, count in zip(widths, letters, strict=True)):
            middle = (gutter + min(gap[2] for _, gap in narrow)) / 2
            best = max(best or (0, 0.0), (len(narrow), middle))
    return None if best is None else best[1]


def _is_prose(widths: Sequence[float], letters: Sequence[int]) -> bool:
    widest = max(widths, default=0.0)
    full = sum(width > _COLUMN_FILL * widest for width in widths)
    return 2 * full > len(widths) and statistics.median(letters) >= _COLUMN_LETTERS


def _part(line: Line, start: int, stop: int, left: float, right: float) -> Line:
    gaps = tuple((at - start, begin, end) for at, begin, end in line.gaps if start < at < stop)
    return replace(line, text=line.text[start:stop].strip(), left=left, right=right, gaps=gaps)


def _pitch(lines: Sequence[Line]) -> float:
    """Return the usual distance of two lines, as a multiple of their height."""
    steps = [
        (above.bottom - below.bottom) / above.size
        for above, below in pairwise(lines)
        if 0.5 < (above.bottom - below.bottom) / above.size < _NEXT_LINE
    ]
    return statistics.median(steps) if steps else 1.2


def _blocks(lines: Sequence[Line], pitch: float) -> Iterator[list[Line]]:
    """Yield lines that stand close below each other."""
    block: list[Line] = []
    for line in lines:
        if block:
            step = (block[-1].bottom - line.bottom) / block[-1].size
            apart = not -0.6 < step <= max(_PARAGRAPH * pitch, 1.3)
            if apart or _is_code(line) != _is_code(block[-1]) or not _alike(block[-1], line):
                yield block
                block = []
        block.append(line)
    if block:
        yield block


def _alike(above: Line, below: Line) -> bool:
    """Tell whether two lines may be of one paragraph: letters of one size, one above the other."""
    return abs(above.size - below.size) <= _SAME_SIZE * above.size or above.bottom - below.bottom < 0.5 * above.size


def _is_code(line: Line) -> bool:
    return line.mono


def _is_wide(gaps: Sequence[tuple[int, float, float]], line: Line) -> bool:
    return any(
        end - begin > line.size * (_GAP_AFTER_STOP if line.text[at - 2 : at - 1] in (".", ",") else _GAP)
        for at, begin, end in gaps
    )


def _is_row(line: Line) -> bool:
    if _is_wide(line.gaps, line):
        return True
    return (". ." in line.text or "...." in line.text) and bool(_LEADERS.search(line.text))


def _written(block: Sequence[Line], whole: str) -> Iterator[Group]:
    """Write one block of lines as groups of one kind each."""
    if all(map(_is_code, block)) and len(block) > 1:
        yield Group("code", "\n".join(_indented(block)))
        return
    edge = max(line.right for line in block)
    width = edge - min(line.left for line in block)
    full = [_is_full(above, below, edge) for above, below in pairwise(block)]
    inner = [fills for fills, line in zip(full, block[1:], strict=True) if not _ITEM.match(line.text)]
    is_prose = width > _PROSE_WIDTH * block[0].size and 2 * sum(inner) >= len(inner)
    kind: Kind | None = None
    text = ""
    for at, line in enumerate(block):
        this: Kind = "table" if _is_row(line) else "list" if _ITEM.match(line.text) else "paragraph"
        above = block[at - 1] if at else None
        if above is not None and (word := _joined(text, line.text, whole)) is not None and not _is_row(line):
            text = word
        elif above is not None and is_prose and full[at - 1] and _continues(above, line, full):
            text += _between(text, line.text) + line.text
        elif kind == this or (kind == "list" and this == "paragraph" and _hangs(above, line)):
            text += "\n" + line.text
        else:
            if kind is not None:
                yield Group(kind, clean(text))
            kind, text = this, line.text
    if kind is not None:
        yield Group(kind, clean(text))


def _hangs(above: Line | None, below: Line) -> bool:
    """Tell whether a line stands further in than the item above it begins."""
    return above is not None and below.left > above.left - 0.5 * below.size


def _is_full(above: Line, below: Line, edge: float) -> bool:
    """Tell whether the next line's first word had no room in a line."""
    word = len(below.text.split(maxsplit=1)[0]) if not _WIDE_SCRIPT.match(below.text) else 1
    letter = (below.right - below.left) / max(len(below.text), 1)
    return above.right + (word + 1) * letter > edge - _RAGGED * (edge - above.left)


def _continues(above: Line, below: Line, full: Sequence[bool]) -> bool:
    """Tell whether a line goes on with the full line above it."""
    step = (above.bottom - below.bottom) / above.size
    if (
        above.ends
        or below.ends
        or _is_row(above)
        or _is_row(below)
        or _ITEM.match(below.text)
        or not 0.4 < step < _NEXT_LINE
    ):
        return False
    if below.left - above.left > 3 * above.size and not _ITEM.match(above.text):
        return False
    enough = sum(full) >= 3
    if above.text[-1] in _SENTENCE_END:
        return enough and below.left <= above.left + 0.5 * above.size
    # One long line above another may be two rows; a small letter says that the sentence goes on.
    return enough or (not below.text[0].isupper() and not below.text[0].isdigit())


def _joined(text: str, following: str, whole: str) -> str | None:
    """Put a word that is broken at the line's end together; None where none is."""
    if not text.endswith(_BROKEN_WORD):
        return None
    left, right = text[:-1], following
    compound = f"{left.split()[-1] if left.split() else ''}-{right.split()[0] if right.split() else ''}".strip(",.;:")
    keeps = bool(right) and (right[0].isupper() or right[0].isdigit() or compound in whole)
    return left + ("-" if keeps else "") + right


def _between(before: str, after: str) -> str:
    if before.endswith("-") and not before.endswith(" -"):
        return ""
    # Chinese and Japanese have no spaces: a space would be read as one, a line's end is not.
    return "\n" if _WIDE_SCRIPT.match(before[-1:]) and _WIDE_SCRIPT.match(after) else " "


def _indented(block: Sequence[Line]) -> Iterator[str]:
    """Yield lines of code with the indentation that they have on the page."""
    margin = min(line.left for line in block)
    letter = statistics.median((line.right - line.left) / len(line.text) for line in block)
    for line in block:
        yield " " * max(0, round((line.left - margin) / max(letter, 0.1))) + clean(line.text)


def clean(text: str) -> str:
    """Return a text without control characters and lone surrogates, ligatures as letters."""
    text = text.encode(errors="ignore").decode()  # broken fonts yield lone surrogates
    if _LIGATURE.search(text):
        text = text.translate(_LIGATURES)
    return _CONTROL.sub("", text)


def plain(lines: Iterable[str]) -> Iterator[Group]:
    """Yield lines whose places nobody knows as one paragraph."""
    text = clean("\n".join(lines)).strip()
    if text:
        yield Group("paragraph", text)
