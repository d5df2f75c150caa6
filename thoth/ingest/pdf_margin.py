"""What stands beside or outside the text of a page: numbers of its lines, and marks of printers off the page."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import compress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thoth.ingest.pdf_chars import Boxes, Chars
    from thoth.ingest.pdf_line import Line, LineSpan

_NUMBERED = re.compile(r"(\d{1,4})(?:\s+(?=\S)|\Z)")
_FEWEST = 5  # lines that count
_MOST_BETWEEN = 2  # lines without a number between two that count: a title, a page's head
_LEAST_LETTERS = 14  # behind a number: rows of a table have fewer
_MANY = 20  # numbers of a sheet that has them printed beside its text
_FULL = 0.8  # of the longest line
_SAME_LINE = 0.35  # heights of a line


def on_page(lines: list[Line], spans: list[LineSpan], page: Boxes) -> tuple[list[Line], list[LineSpan]]:
    """Return the lines of which something is seen; printers note a file's name and the time beside the sheet.

    Args:
        lines: of a page.
        spans: of each line.
        page: its box, as that of one letter.
    """
    if not lines:
        return lines, spans
    (left,), (bottom,), (right,), (top,) = page
    _, lefts, rights, bottoms, sizes, *_ = zip(*lines, strict=True)
    if left < min(rights) and max(lefts) < right and bottom < min(bottoms) and max(bottoms) < top:
        return lines, spans
    seen = [
        end > left and begin < right and base < top and base + size > bottom
        for begin, end, base, size in zip(lefts, rights, bottoms, sizes, strict=True)
    ]
    if all(seen) or not any(seen):  # a box without any of the text is wrong
        return lines, spans
    return [*compress(lines, seen)], [*compress(spans, seen)]


def without_numbers(lines: list[Line], spans: list[LineSpan], chars: Chars) -> tuple[list[Line], list[LineSpan]]:
    """Return the lines without the numbers that manuscripts and court papers have in front of each.

    Args:
        lines: of a page.
        spans: of each line.
        chars: of the page.
    """
    found = {
        at: number
        for at, line in enumerate(lines)
        if line.text[:1].isdecimal() and (number := _NUMBERED.match(line.text))
    }
    if len(found) < _FEWEST:
        return lines, spans
    alone = _counted({at: number for at, number in found.items() if number.end() == len(lines[at].text)})
    if alone and _stand_beside(alone, lines):
        kept = [at not in alone for at in range(len(lines))]
        return [*compress(lines, kept)], [*compress(spans, kept)]
    before = _counted({at: number for at, number in found.items() if number.end() < len(lines[at].text)})
    texts = [lines[at].text[number.end() :] for at, number in before.items()]
    if not before or not _is_prose(texts):
        return lines, spans
    lines, spans = [*lines], [*spans]
    indexes = chars.indexes([spans[at].place + number.end() for at, number in before.items()])
    for (at, number), first, left in zip(before.items(), indexes, chars.boxes(indexes).left, strict=True):
        lines[at] = lines[at]._replace(text=lines[at].text[number.end() :], left=left)
        spans[at] = spans[at]._replace(place=spans[at].place + number.end(), first=first)
    return lines, spans


def _counted(found: dict[int, re.Match[str]]) -> dict[int, re.Match[str]]:
    """Return the longest run of lines whose numbers follow each other."""
    runs: list[list[int]] = []
    for at, number in found.items():
        last = runs[-1][-1] if runs else None
        if last is not None and int(number[1]) == int(found[last][1]) + 1 and at - last <= 1 + _MOST_BETWEEN:
            runs[-1].append(at)
        else:
            runs.append([at])
    longest = max(runs, key=len, default=[])
    return {at: found[at] for at in longest} if len(longest) >= _FEWEST else {}


def _is_prose(texts: Sequence[str]) -> bool:
    """Tell lines of sentences from items: most are full, and most begin in the middle of a sentence."""
    inner = sum(text[0].islower() for text in texts)
    longest = max(map(len, texts), default=0)
    full = sum(len(text) >= max(_LEAST_LETTERS, _FULL * longest) for text in texts)
    return 2 * inner >= len(texts) and 2 * full > len(texts)


def _stand_beside(numbers: dict[int, re.Match[str]], lines: Sequence[Line]) -> bool:
    """Tell whether most numbers have a line of prose to their right; or many have all text there, as on court paper."""
    edge = max(lines[at].right for at in numbers)
    texts = [line for at, line in enumerate(lines) if at not in numbers]
    if len(numbers) >= _MANY and len(texts) > 1 and all(line.left > edge for line in texts):
        return True
    heights = sorted(lines[at].bottom for at in numbers)

    def has_number(line: Line) -> bool:
        near = bisect_left(heights, line.bottom - _SAME_LINE * line.size)
        return near < len(heights) and heights[near] < line.bottom + _SAME_LINE * line.size

    beside = [line.text for line in texts if line.left > edge and has_number(line)]
    return 4 * len(beside) >= 3 * len(numbers) and _is_prose(beside)
