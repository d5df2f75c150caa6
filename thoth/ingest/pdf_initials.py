"""A large initial beside the first lines of a paragraph -> the first letter of its word."""

from __future__ import annotations

import re
from collections import Counter

from thoth.ingest.pdf_line import Line

_LARGER = 1.6  # times the height of a line
_NEAR = 1.2  # heights of a line, to its right
_WORD = re.compile(r"[^\W\d_]+")
_WORDS = "AIO"  # initials that are words as well


def joined(lines: list[Line], text: str) -> list[Line]:
    """Put initials in front of the lines that they begin.

    Args:
        lines: of a page, in the order in which they were drawn.
        text: of the page.
    """
    if all(len(line.text) > 1 for line in lines):
        return lines
    result: list[Line] = []
    words: Counter[str] = Counter()
    for line in lines:
        if result and begins(result[-1], line):
            letter = result.pop().text
            if letter in _WORDS:
                words = words or Counter(_WORD.findall(text.lower()))
                letter += " " if _is_word(line.text, words) else ""
            gaps = tuple((at + len(letter), begin, end) for at, begin, end in line.gaps)
            line = line._replace(text=letter + line.text, gaps=gaps)
        result.append(line)
    return result


def begins(initial: Line, line: Line) -> bool:
    """Tell a large letter from a line of one letter: it stands beside the begin of a line, whose word it begins."""
    if len(initial.text) > 1 or not initial.text.isupper() or not line.text[0].isalpha():
        return False
    is_large = initial.size > _LARGER * line.size
    is_near = -0.2 * line.size < line.left - initial.right < _NEAR * line.size
    return is_large and is_near and initial.bottom + 0.4 * line.size < line.bottom < initial.bottom + initial.size


def _is_word(line: str, words: Counter[str]) -> bool:
    """Tell whether the letters that a line begins with are a word elsewhere on the page."""
    word = _WORD.match(line)
    return word is not None and words[word[0].lower()] > 1
