"""The lines of a page of a PDF: what each says, where it stands, and where it has wide spaces.

PDFium gives the text of a page in the order in which it was drawn. Where its lines stand tells the rest: `pdf_columns`
and `pdf_groups` make columns and paragraphs of them.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import accumulate, combinations, compress, count, pairwise, repeat
from math import isnan
from operator import add, and_, sub

from thoth.ingest import pdf_initials, pdf_margin, pdf_rows, pdf_scripts
from thoth.ingest.pdf_chars import Chars
from thoth.ingest.pdf_line import BROKEN_WORD, COLUMN_LETTERS, Gaps, Line, LineSpan
from thoth.ingest.pdf_page import Box

_LINE = re.compile(r"\S(?:[^\n]*\S)?")
_PIECE = re.compile("[^\x02\ufffe]*[\x02\ufffe]?")
_SPACES = re.compile(r"\s+")

# Measures in heights of a line ("em") or as shares; letters are about half an em wide.
_GAP, _GAP_AFTER_STOP = 1.8, 2.8  # between words of a row; justified prose stays below
_LEAST_GAP = 0.9  # between two columns
_DENSE = 1.15  # letters are this much wider apart where a line has a gap in it
_SAMPLED_GAPS = 50
_SAMPLE = 8  # every eighth line is looked at anyhow


def lines_of(letters: int, text: str, rotation: int = 0, page_box: Box | None = None) -> list[Line]:
    """Return where the lines of a page stand.

    Args:
        letters: address of PDFium's text page.
        text: of the page, as PDFium gives it.
        rotation: of the page, in degrees clockwise: 0, 90, 180 or 270.
        page_box: left, bottom, right and top of what is seen of it before it is turned, in points; None: all is.
    """
    chars = Chars(letters, rotation)
    lines, spans = _placed(text, chars)
    if page_box is not None:
        lines, spans = pdf_margin.on_page(lines, spans, chars.turned(*([edge] for edge in page_box)))
    lines, spans = pdf_margin.without_numbers(lines, spans, chars)
    marked = pdf_scripts.restored(_with_gaps(lines, spans, chars), spans, chars)
    return pdf_rows.together(pdf_initials.joined(marked, text))


def is_wide(gaps: Gaps, text: str, size: float) -> bool:
    """Tell whether a line's spaces are those of a row: no justified prose has such wide ones."""
    for at, begin, end in gaps:
        if end - begin > size * (_GAP_AFTER_STOP if text[at - 2 : at - 1] in (".", ",") else _GAP):
            return True
    return False


def _placed(text: str, chars: Chars) -> tuple[list[Line], list[LineSpan]]:
    """Return the lines of a text that stand somewhere on the page."""
    found: Iterable[re.Match[str]] = _LINE.finditer(text)
    if any(mark in text for mark in BROKEN_WORD):  # it can stand for the end of a line
        found = (line for piece in _PIECE.finditer(text) for line in _LINE.finditer(text, *piece.span()))
    found = list(found)
    texts, places = [line[0] for line in found], [line.start() for line in found]
    firsts, lasts = chars.indexes(places), chars.indexes([line.end() - 1 for line in found])
    begin, end = chars.boxes(firsts), chars.boxes(lasts)
    left, right = map(min, begin.left, end.left), map(max, begin.right, end.right)
    heights = map(sub, begin.top, begin.bottom), map(sub, end.top, end.bottom)
    sizes = map(max, *heights, repeat(0.1))
    mono = chars.are_mono(firsts)
    if any(mono):
        mono = list(map(and_, mono, chars.are_mono(lasts)))
    columns = zip(texts, left, right, chars.baselines(firsts), sizes, mono, repeat(()), repeat(False), strict=False)
    lines = list(map(partial(tuple.__new__, Line), columns))  # half the time of calling `Line`
    spans = list(map(partial(tuple.__new__, LineSpan), zip(places, firsts, lasts, strict=True)))
    if not isnan(sum(begin.left) + sum(end.left)):  # all stand somewhere
        return lines, spans
    known = [not isnan(one + other) for one, other in zip(begin.left, end.left, strict=True)]
    return [*compress(lines, known)], [*compress(spans, known)]


def _with_gaps(lines: list[Line], spans: list[LineSpan], chars: Chars) -> list[Line]:
    """Look for wide spaces where letters are far apart; in all lines where a sample of them looks like columns."""
    prose = [at for at, line in enumerate(lines) if not line.mono and " " in line.text]
    if not prose:
        return lines
    density = {at: (line.right - line.left) / (line.size * len(line.text)) for at in prose if (line := lines[at])}
    usual = statistics.median(density.values())
    sample = {*(prose if len(prose) < 3 * _SAMPLE else prose[::_SAMPLE])}
    look = sample | {at for at in prose if density[at] > _DENSE * usual}
    found: dict[int, Gaps] = {}
    while look:
        new = _gaps(sorted(look), lines, spans, chars)
        found |= new
        rows = [at for at, gaps in new.items() if gaps and is_wide(gaps, lines[at].text, lines[at].size)]
        # The rows of a table stand together.
        look = {near for at in rows for near in (at - 2, at - 1, at + 1, at + 2) if near in density} - found.keys()
    if _may_be_columns([(lines[at], gap) for at in sample for gap in found[at]]):
        found |= _gaps([at for at in prose if at not in found], lines, spans, chars)
    for at, gaps in found.items():
        if gaps:
            lines[at] = lines[at]._replace(gaps=gaps)
    return lines


def _gaps(chosen: Sequence[int], lines: Sequence[Line], spans: Sequence[LineSpan], chars: Chars) -> dict[int, Gaps]:
    """Return the wide spaces of the chosen lines, by their numbers."""
    found: dict[int, Gaps] = dict.fromkeys(chosen, ())
    before: list[int] = []  # PDFium's numbers for the letters before and behind each space
    behind: list[int] = []
    ends = [0]  # how many spaces came until each of the chosen lines
    for number in chosen:
        text, (place, first, last) = lines[number].text, spans[number]
        words = text.split(" ")
        is_even = "" not in words and len(words) == len(text.split())  # one blank between two words, mostly
        if is_even and first >= 0 and last - first == len(text) - 1:
            before += map(add, accumulate(map(len, words[:-1])), count(first - 1))
            behind += [index + 2 for index in before[ends[-1] :]]
        else:
            spaces = _spaces(text)
            before += chars.indexes([place + start - 1 for start, _ in spaces])
            behind += chars.indexes([place + end for _, end in spaces])
        ends.append(len(before))
    begins, stops = chars.boxes(before).right, chars.boxes(behind).left
    widths = list(map(sub, stops, begins))
    for number, (start, end) in zip(chosen, pairwise(ends), strict=True):
        line = lines[number]
        least = _LEAST_GAP * line.size
        if any(map(least.__lt__, widths[start:end])):
            places = zip(_spaces(line.text), begins[start:end], stops[start:end], widths[start:end], strict=True)
            found[number] = tuple((at, begin, stop) for (_, at), begin, stop, width in places if width > least)
    return found


def _spaces(text: str) -> list[tuple[int, int]]:
    """Return where the spaces of a line begin and end."""
    return [space.span() for space in _SPACES.finditer(text)]


def _may_be_columns(gaps: Sequence[tuple[Line, tuple[int, float, float]]]) -> bool:
    """Tell whether two lines have a space at one place, with enough letters on both sides."""
    wide = [(begin, end) for line, (at, begin, end) in gaps if min(at, len(line.text) - at) >= COLUMN_LETTERS]
    return any(max(one[0], other[0]) < min(one[1], other[1]) for one, other in combinations(wide[:_SAMPLED_GAPS], 2))
