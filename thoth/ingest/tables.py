"""Rows of a spreadsheet -> tables of moderate size, each with the header row: a row alone says nothing.

A sheet may hold several tables, one below the other with an empty row between them, and lines of text around them.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence

from thoth.ingest.document import LooseBlock, table

# About a third of a chunk, so that a chunk is filled and each has its header.
_BLOCK_LETTERS = 1_000
_Header = Sequence[str] | None

_VALUE = re.compile(r"[-+(\u2212]?[^\w\s]{0,3}\s*\d[\d\s.,:/%'\u2019()+-]*(?:[eE][+-]?\d+)?\s*[^\d]{0,4}\s*\)?")


def parts(rows: Iterable[Sequence[str]], page: int | None = None) -> Iterator[LooseBlock]:
    """Yield the blocks of a sheet.

    Args:
        rows: of cells, as a reader would see them.
        page: the sheet's number, from 1.
    """
    header: _Header = None
    group: list[Sequence[str]] = []
    for row in rows:
        if any(cell.strip() for cell in row):
            group.append(row)
        elif group:
            header = yield from _group(group, header, page)
            group = []
    if group:
        yield from _group(group, header, page)


def _group(rows: list[Sequence[str]], header: _Header, page: int | None) -> Generator[LooseBlock, None, _Header]:
    """Yield the rows between two empty ones; returns the header in force after them."""
    at = 0
    while at < len(rows) and _filled(rows[at]) == 1 and (at + 1 == len(rows) or _filled(rows[at + 1]) != 1 or at == 0):
        if len(rows) > 1 and all(_filled(row) == 1 for row in rows):
            break  # a list of one column
        yield LooseBlock("paragraph", next(" ".join(cell.split()) for cell in rows[at] if cell.strip()), page=page)
        at += 1
    if at == len(rows):
        return header
    if is_header(rows[at], rows[at + 1] if at + 1 < len(rows) else None):
        header, at = rows[at], at + 1
        if at == len(rows):
            yield LooseBlock("table", table([header]), page=page)
            return header
    elif header is not None and _width(header) < _width(rows[at]):
        header = None
    block: list[Sequence[str]] = []
    length = 0
    for row in rows[at:]:
        block.append(row)
        length += sum(map(len, row)) + 3 * len(row)
        if length > _BLOCK_LETTERS:
            yield LooseBlock("table", _written(header, block), page=page)
            block, length = [], 0
    if block:
        yield LooseBlock("table", _written(header, block), page=page)
    return header


def _written(header: _Header, rows: list[Sequence[str]]) -> str:
    return table(rows if header is None else [header, *rows])


def is_header(row: Sequence[str], following: Sequence[str] | None) -> bool:
    """Tell names of columns from values: several, all different, and none of them a number or a date."""
    cells = [cell.strip() for cell in row if cell.strip()]
    if following is None or len(cells) < 2 or len(set(cells)) < len(cells):
        return False
    return not any(_VALUE.fullmatch(cell) and not re.fullmatch(r"(?:19|20)\d\d", cell) for cell in cells)


def _filled(row: Sequence[str]) -> int:
    return sum(1 for cell in row if cell.strip())


def _width(row: Sequence[str]) -> int:
    return max((i + 1 for i, cell in enumerate(row) if cell.strip()), default=0)
