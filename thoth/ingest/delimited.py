"""CSV and its kin -> tables with the header on each: which character separates is found out, not assumed."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

from thoth.ingest import tables, text
from thoth.ingest.document import Document, assemble

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 50
# In a cell, its comma is one of decimals; between cells, it would cut them.
_DECIMAL_COMMA = re.compile(r"[-+]?\d{1,3}(?:[. ]?\d{3})*,\d+\s*%?")
# A quote that is never closed would make one cell of the rest.
_MAX_CELL = 1 << 20


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read a table of separated values.

    Args:
        data: the file.
        name: of the document; `.tsv` says that tabs separate.
        charset: what a server says its encoding is.

    Raises:
        UnknownFormatError: The bytes are not text.
    """
    content = text.decode(data, name, charset)
    delimiter = _named(content)
    if delimiter:
        content = content.partition("\n")[2]
    elif PurePath(name).suffix.lower() in (".tsv", ".tab"):
        delimiter = "\t"
    else:
        delimiter = _found(content)
    return assemble(name, tables.parts(_rows(content, delimiter)))


def _named(content: str) -> str:
    """Return what Excel's first line `sep=;` says, "" where there is none."""
    first = content.partition("\n")[0].strip().strip('"')
    return first[4] if first.lower().startswith("sep=") and len(first) == 5 else ""


def _found(content: str) -> str:
    """Return the character that cuts the first lines into equally many cells, and into more than any other."""
    sample = "\n".join(content.split("\n", _SAMPLE_LINES)[:_SAMPLE_LINES])
    best, most = ",", (0.0, False, 0)
    for delimiter in _DELIMITERS:
        rows = [row for row in _rows(sample, delimiter) if any(row)]
        common = Counter(map(len, rows)).most_common(1)[0][0] if rows else 1
        if common > 1:
            decimals = delimiter != "," and any(_DECIMAL_COMMA.fullmatch(cell.strip()) for row in rows for cell in row)
            score = (_evenness(rows), decimals, common)
            best, most = (delimiter, score) if score > most else (best, most)
    return best


def _rows(content: str, delimiter: str) -> list[list[str]]:
    """Cut a text into rows of cells; a quote that opens a cell and never ends is a letter like any other."""
    rows = _cut(io.StringIO(content, newline=""), delimiter)
    if rows is not None and content.count('"') % 2 == 0:
        return rows
    alone = [_row(line, delimiter) for line in content.split("\n")]
    return alone if rows is None or _evenness(alone) >= _evenness(rows) else rows


def _row(line: str, delimiter: str) -> list[str]:
    found = _cut([line], delimiter, strict=True)
    return (found or [[]])[0] if found is not None else line.replace('""', '"').split(delimiter)


def _cut(lines: Iterable[str], delimiter: str, *, strict: bool = False) -> list[list[str]] | None:
    """Return the rows, None where a cell is too long or the quotes do not add up and `strict` asks for that."""
    limit = csv.field_size_limit(_MAX_CELL)
    try:
        return list(csv.reader(lines, delimiter=delimiter, strict=strict))
    except csv.Error:
        return None
    finally:
        csv.field_size_limit(limit)


def _evenness(rows: list[list[str]]) -> float:
    """Return the share of rows with as many cells as most have."""
    widths = Counter(len(row) for row in rows if any(row))
    return max(widths.values(), default=0) / max(widths.total(), 1)
