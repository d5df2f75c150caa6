"""Rows for stdout: aligned columns, no wider than the terminal."""

import re
import shutil
import sys
import unicodedata
from collections.abc import Collection, Mapping, Sequence

_GAP = "  "
_LEAST_NAME = 20
_WORD = re.compile(r"(?:`[^`]*`|[^ ])+")  # a command between backticks is one word


def show(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = (), spare: Sequence[str] = ()
) -> str:
    """Return the rows as aligned lines.

    Args:
        headings: of the columns; on a terminal "name" is shortened where the lines are too wide.
        rows: of cells, one for each heading.
        right: headings of columns that are aligned to the right.
        spare: headings of columns that are left out first where a terminal is too narrow for a readable name.
    """
    columns = dict(zip(headings, zip(headings, *rows, strict=True), strict=True))
    widths = {heading: max(map(width, cells)) for heading, cells in columns.items()}
    if _is_terminal() and "name" in columns:
        available = shutil.get_terminal_size().columns
        for heading in spare:
            if _rest(widths) + min(widths["name"], _LEAST_NAME) <= available:
                break
            del columns[heading], widths[heading]
        widths["name"] = min(widths["name"], max(available - _rest(widths), _LEAST_NAME // 2))
    lines = [
        _GAP.join(_cell(cells[row], widths[heading], heading in right) for heading, cells in columns.items()).rstrip()
        for row in range(len(rows) + 1)
    ]
    return "\n".join(lines)


def labelled(values: Mapping[str, str]) -> str:
    """Return values below each other, each after its label; on a terminal long ones continue below themselves."""
    indent = max(map(len, values)) + len(_GAP)
    columns = shutil.get_terminal_size().columns - indent if _is_terminal() else 0
    lines = []
    for label, value in values.items():
        parts = [part for line in value.split("\n") for part in (wrap(line, columns) if columns > 0 else [line])]
        lines += [f"{'' if number else label:<{indent}}{part}" for number, part in enumerate(parts)]
    return "\n".join(lines)


def wrap(text: str, columns: int) -> list[str]:
    """Return a line as lines of at most so many columns, broken at spaces where there are any, but not in a command."""
    lines = [""]
    for word in _WORD.findall(text):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if width(longer) <= columns or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def width(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_width, text))  # there may be thousands of rows


def cut(text: str, columns: int) -> str:
    """Return the text, or its beginning and an ellipsis, in no more columns than these."""
    if width(text) <= columns:
        return text
    kept, used = "", 1
    for character in text:
        used += _width(character)
        if used > columns:
            break
        kept += character
    return (kept + "…")[:columns]


def _rest(widths: dict[str, int]) -> int:
    """Return what the other columns take."""
    return sum(widths.values()) - widths["name"] + len(_GAP) * (len(widths) - 1)


def _cell(text: str, columns: int, right: bool) -> str:
    text = cut(text, columns)
    padding = " " * (columns - width(text))
    return padding + text if right else text + padding


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _is_terminal() -> bool:
    return sys.stdout.isatty()
