"""CSV and its kin -> tables with the header on each: which character separates is found out, not assumed."""

from __future__ import annotations

import csv
import io
from pathlib import PurePath

from thoth.ingest import tables, text
from thoth.ingest.document import Document, assemble

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 50
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
    best, most = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in _rows(sample, delimiter) if any(row)]
        common = max(set(widths), key=widths.count, default=1)
        if common > 1:
            score = (widths.count(common) / len(widths), common)
            best, most = (delimiter, score) if score > most else (best, most)
    return best


def _rows(content: str, delimiter: str) -> list[list[str]]:
    """Cut a text into rows of cells; where its quotes do not add up, they are letters like any other."""
    limit = csv.field_size_limit(_MAX_CELL)
    try:
        return list(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=False))
    except csv.Error:
        return [line.split(delimiter) for line in content.split("\n")]
    finally:
        csv.field_size_limit(limit)
