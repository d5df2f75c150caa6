"""A table of Word or PowerPoint -> rows of cells; merged cells are written once, deleted ones not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from xml.etree.ElementTree import Element

from thoth.ingest.document import LooseBlock, table
from thoth.ingest.elements import attribute, child, local, number
from thoth.ingest.word_runs import LEFT_OUT

_MAX_SPAN = 63


def written(element: Element, parts: Callable[[Element], Iterable[LooseBlock]]) -> Iterator[LooseBlock]:
    """Yield a `w:tbl` as a table; the blocks of its cells one by one where it only puts things in their places.

    Args:
        element: the table.
        parts: gives the blocks of a cell.
    """
    rows = [
        [
            (list(parts(cell)) if not _continues(cell) else [], cell)
            for cell in outermost(row, "tc")
            if not _is_gone(cell)
        ]
        for row in outermost(element, "tr")
        if child(child(row, "trPr"), "del") is None
    ]
    filled = [[found for found, _ in row if found] for row in rows]
    is_layout = all(len(row) <= 1 for row in filled) or any(
        part.kind in ("heading", "table", "code") for row in filled for cell in row for part in cell
    )
    if is_layout:
        yield from (part for row in filled for cell in row for part in cell)
    else:
        yield LooseBlock("table", table(_cells(row) for row in rows))


def outermost(parent: Element, name: str) -> Iterator[Element]:
    """Yield the outermost elements of a name below another, through content controls."""
    for element in parent:
        found = local(element)
        if found == name:
            yield element
        elif found not in LEFT_OUT:
            yield from outermost(element, name)


def _cells(row: list[tuple[list[LooseBlock], Element]]) -> Iterator[str]:
    for parts, cell in row:
        yield " ".join(part.text for part in parts)
        span = number(attribute(child(child(cell, "tcPr"), "gridSpan"), "val"), 1)
        yield from [""] * min(span - 1, _MAX_SPAN)


def _continues(cell: Element) -> bool:
    """Tell a cell that the one above or to the left reaches into."""
    properties = child(cell, "tcPr")
    merges = (child(properties, "vMerge"), child(properties, "hMerge"))
    return any(merge is not None and attribute(merge, "val") != "restart" for merge in merges)


def _is_gone(cell: Element) -> bool:
    return child(child(cell, "tcPr"), "cellDel") is not None
