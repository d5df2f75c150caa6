"""Charts and diagrams in Office files -> a table of the values, a list of the boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from thoth.ingest.document import LooseBlock, table
from thoth.ingest.elements import attribute, below, child, local, number
from thoth.ingest.package import Package

_MOST_POINTS = 2_000


def graphics(element: Element, relations: Mapping[str, tuple[str, str]], package: Package) -> Iterator[LooseBlock]:
    """Yield what the charts and diagrams say that an element shows.

    Args:
        element: a paragraph of Word, a shape of PowerPoint.
        relations: of the part that it is in, as `Package.relations` gives them.
        package: the file.

    Raises:
        DocumentError: The file is encrypted, or unpacks to too much.
    """
    for one in element.iter():
        name = local(one)
        if name == "chart" and (identifier := attribute(one, "id")) in relations:
            root = package.optional(relations[identifier or ""][1])
            if root is not None:
                yield from _chart(root)
        elif name == "relIds" and (identifier := attribute(one, "dm")) in relations:
            root = package.optional(relations[identifier or ""][1])
            if root is not None:
                yield from _diagram(root)


def boxes(root: Element) -> Iterator[LooseBlock]:
    """Yield what the text boxes of a drawing say, each as a paragraph."""
    for shape in below(root, "sp"):
        lines = [" ".join(_letters(paragraph).split()) for paragraph in below(child(shape, "txBody"), "p")]
        if any(lines):
            yield LooseBlock("paragraph", "\n".join(line for line in lines if line))


def _chart(root: Element) -> Iterator[LooseBlock]:
    title = " ".join(_letters(next(below(root, "title"), None)).split())
    if title:
        yield LooseBlock("paragraph", title)
    names: list[str] = []
    rows: dict[int, list[str]] = {}
    for series in below(root, "ser"):
        name = child(series, "tx")
        names.append(" ".join(value.text or "" for value in below(name, "v")))
        labels = _points(child(series, "cat") if child(series, "cat") is not None else child(series, "xVal"))
        values = _points(child(series, "val") if child(series, "val") is not None else child(series, "yVal"))
        for at, value in values.items():
            row = rows.setdefault(at, [labels.get(at, "")])
            row += [""] * (len(names) - len(row)) + [value]
    if rows:
        yield LooseBlock("table", table([["", *names], *(rows[at] for at in sorted(rows))]))


def _points(data: Element | None) -> dict[int, str]:
    found: dict[int, str] = {}
    for point in below(data, "pt"):
        value = child(point, "v")
        if value is not None and len(found) < _MOST_POINTS:
            found[number(attribute(point, "idx"), len(found))] = value.text or ""
    return found


def _diagram(root: Element) -> Iterator[LooseBlock]:
    lines = []
    for point in below(root, "pt"):
        text = " ".join(" ".join(_letters(paragraph) for paragraph in below(point, "p")).split())
        if text and attribute(point, "type") in (None, "node", "asst"):
            lines.append(f"- {text}")
    if lines:
        yield LooseBlock("list", "\n".join(lines))


def _letters(element: Element | None) -> str:
    return "".join(found.text or "" for found in below(element, "t"))
