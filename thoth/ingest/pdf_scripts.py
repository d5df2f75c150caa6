"""Raised and lowered letters on a page of a PDF, written so that they mean the same: ten to the sixth is `10^6`.

Few letters are looked at: of a line's words with numbers, first the end of each number. Only where it stands off the
line, which raised and lowered letters do, are all letters of the word compared with each other.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, NamedTuple

from thoth.ingest import pdf_initials, scripts

if TYPE_CHECKING:
    from thoth.ingest.pdf_chars import Chars
    from thoth.ingest.pdf_line import Line, LineSpan

# Where a number ends that is not all of a word.
_NUMBER_END = re.compile(r"\d(?!\d)(?:(?<=\S\d)|(?=\S))")
_DIGIT = re.compile(r"\d")
# At a line's begin, which is compared with nothing: the number of a note.
_NOTE = re.compile(r"\d{1,3}[^\W\d]")
_MOST_LETTERS = 60  # of a word, before and behind that: longer ones are identifiers
_BEFORE = 60  # letters that say what an index belongs to

# Shares of the height of the word's largest letters.
_OFF = 0.05  # a number's end stands off the line
_SMALLER = 0.86
_RAISED, _LOWERED = 0.15, 0.06
_NARROW = 0.25  # a letter's width: a whole line of such letters may run up the page
_MOST_OFF, _GLUED = 0.7, 0.1  # of a line that PDFium broke, upwards and sideways


class _Word(NamedTuple):
    """A word that may have raised letters: the line's number, and its place there."""

    line: int
    start: int
    end: int


def restored(lines: Sequence[Line], spans: Sequence[LineSpan], chars: Chars) -> list[Line]:
    """Return the lines with marks where letters are raised or lowered.

    Args:
        lines: as PDFium gives their texts.
        spans: of each line.
        chars: of the page.
    """
    ends = [
        (number, end.start())
        for number in _with_digits([line.text for line in lines])
        for end in _NUMBER_END.finditer(lines[number].text)
    ]
    heights = chars.baselines(chars.indexes([spans[number].place + at for number, at in ends]))
    words = {
        _word(number, line.text, at)
        for (number, at), height in zip(ends, heights, strict=True)
        if abs(height - (line := lines[number]).bottom) > _OFF * line.size or _NOTE.match(line.text)
    }
    turned = _turned({word.line for word in words}, lines, spans, chars)
    words = {word for word in words if word.line not in turned}
    result = [*lines]
    for word in sorted(words, reverse=True):  # from the end: places before it stay as they are
        place = spans[word.line].place
        stand = _stand(chars, range(place + word.start, place + word.end))
        if any(stand):
            result[word.line] = _marked(result[word.line], word, stand)
    return _together(result, spans, chars)


def _with_digits(texts: Sequence[str]) -> Iterator[int]:
    """Yield the numbers of the lines with digits; to look for each digit is faster than a pattern for any of them."""
    whole = "\n".join(texts)
    if not whole.isascii():
        yield from (number for number, text in enumerate(texts) if _DIGIT.search(text))
        return
    digits = [digit for digit in string.digits if digit in whole]
    if digits:
        yield from (number for number, text in enumerate(texts) if any(map(text.__contains__, digits)))


def _turned(numbers: set[int], lines: Sequence[Line], spans: Sequence[LineSpan], chars: Chars) -> set[int]:
    """Return those of the lines that run up or down the page: none of their letters is raised or lowered."""
    narrow = [at for at in numbers if lines[at].right - lines[at].left < _NARROW * lines[at].size * len(lines[at].text)]
    ends = chars.baselines([spans[at].last for at in narrow])
    return {at for at, end in zip(narrow, ends, strict=True) if abs(end - lines[at].bottom) > lines[at].size}


def _together(lines: Sequence[Line], spans: Sequence[LineSpan], chars: Chars) -> list[Line]:
    """Put lines together that PDFium broke before a raised or lowered letter."""
    if not any(_is_off(above, line) for above, line in pairwise(lines)):
        return [*lines]
    result: list[Line] = []
    for line, span in zip(lines, spans, strict=True):
        above = result[-1] if result else None
        if above is not None and _may_continue(above, line):
            first = line.text.split(maxsplit=1)[0][:_MOST_LETTERS]
            letters = list(takewhile(bool, _stand(chars, range(span.place, span.place + len(first)), above)))
            if letters:
                result[-1] = _continued(above, line, letters)
                continue
        result.append(line)
    return result


def _may_continue(above: Line, line: Line) -> bool:
    # "he" beside a large T is not raised
    return (
        _is_off(above, line)
        and abs(line.left - above.right) < _GLUED * above.size
        and not pdf_initials.begins(above, line)
    )


def _is_off(above: Line, line: Line) -> bool:
    return _OFF * above.size < abs(line.bottom - above.bottom) < _MOST_OFF * above.size


def _continued(above: Line, line: Line, stand: Sequence[scripts.Script]) -> Line:
    letters: list[scripts.Run] = [*zip(line.text, stand, strict=False)]
    text = scripts.join([(above.text, ""), *letters, (line.text[len(stand) :], "")])
    more = len(text) - len(line.text)
    gaps = tuple((at + more, begin, end) for at, begin, end in line.gaps)
    return above._replace(text=text, right=line.right, gaps=(*above.gaps, *gaps))


def _word(line: int, text: str, at: int) -> _Word:
    """Return the word around a place of a line."""
    begin = max(0, at - _MOST_LETTERS)
    behind = text[at : at + _MOST_LETTERS].split(maxsplit=1)[0]
    return _Word(line, at - len(text[begin:at].rpartition(" ")[2]), at + len(behind))


def _stand(chars: Chars, places: range, above: Line | None = None) -> list[scripts.Script]:
    """Return how each letter of a word stands, compared with the largest of them, or with the line it belongs to."""
    indexes = chars.indexes(places)
    boxes, baselines = chars.boxes(indexes), chars.baselines(indexes)
    sizes = [top - bottom for top, bottom in zip(boxes.top, boxes.bottom, strict=True)]
    largest = above.size if above else max(sizes, default=0.0)
    if not largest > 0:  # NaN too
        return []
    line = above.bottom if above else next(y for y, size in zip(baselines, sizes, strict=True) if size == largest)

    def script(y: float, size: float) -> scripts.Script:
        if not size < _SMALLER * largest:
            return ""
        return "sup" if y - line > _RAISED * largest else "sub" if line - y > _LOWERED * largest else ""

    return [script(y, size) for y, size in zip(baselines, sizes, strict=True)]


def _marked(line: Line, word: _Word, stand: Sequence[scripts.Script]) -> Line:
    """Return a line in which one word has its marks; what is behind it moves."""
    text = line.text
    before, behind = text[max(0, word.start - _BEFORE) : word.start], text[word.end : word.end + 1]
    letters: list[scripts.Run] = [*zip(text[word.start : word.end], stand, strict=True)]
    joined = scripts.join([(before, ""), *letters, (behind, "")])
    written = joined[len(before) : len(joined) - len(behind)]
    more = len(written) - (word.end - word.start)
    gaps = tuple((at + more if at >= word.end else at, begin, end) for at, begin, end in line.gaps)
    return line._replace(text=text[: word.start] + written + text[word.end :], gaps=gaps)
