"""Word's DOCX -> headings, paragraphs, lists, tables and footnotes, as they stand after all changes are accepted."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element

from thoth.ingest.document import Document, Part, assemble, table
from thoth.ingest.package import Package, attribute, local

_MAIN, _RELATIONS, _TYPES = "word/document.xml", "_rels/.rels", "[Content_Types].xml"

# Deleted or moved text, and the copy of a drawing for older readers.
_LEFT_OUT = {"del", "moveFrom", "Fallback", "pPr", "rPr", "instrText"}
_MARKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes"}
_MAX_LEVEL = 9


def read(data: bytes, name: str) -> Document:
    """Read a Word document.

    Raises:
        DocumentError: The file is damaged or encrypted, or unpacks to too much.
    """
    with Package(data, name) as package:
        main = _main(package)
        body = _child(package.xml(main), "body")
        if body is None:
            raise package.damaged()
        try:
            return assemble(name, _merged(_Reader(package, posixpath.dirname(main)).parts(body)))
        except RecursionError as error:  # nested a thousand deep: no document is
            raise package.damaged() from error


def is_docx(package: Package) -> bool:
    """Tell a Word document from a spreadsheet or a presentation."""
    return _TYPES in package and package.has_folder("word")


def _main(package: Package) -> str:
    if _RELATIONS in package:
        for relation in package.xml(_RELATIONS):
            if (relation.get("Type") or "").endswith("/officeDocument"):
                return (relation.get("Target") or _MAIN).lstrip("/")
    return _MAIN


def _merged(parts: Iterable[Part]) -> Iterator[Part]:
    """Join the items of a list, and the lines of code, which Word has as paragraphs of their own."""
    lines: list[Part] = []
    for part in parts:
        if lines and (part.kind != lines[0].kind or part.kind not in ("list", "code")):
            yield Part(lines[0].kind, "\n".join(line.text for line in lines), lines[0].level)
            lines = []
        lines.append(part)
    if lines:
        yield Part(lines[0].kind, "\n".join(line.text for line in lines), lines[0].level)


class _Reader:
    """Reads paragraphs and tables with what styles, numbering and notes say about them."""

    def __init__(self, package: Package, folder: str) -> None:
        self._styles = _by_id(_optional(package, folder, "styles"), "style", "styleId")
        self._numbers, self._abstract = _numbering(_optional(package, folder, "numbering"))
        self._counts: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._notes = {
            kind: _by_id(_optional(package, folder, kind), kind.removesuffix("s"), "id") for kind in _NOTES.values()
        }
        self._noted = 0
        self._pending: list[str] = []

    def parts(self, parent: Element) -> Iterator[Part]:
        """Yield what stands in a body, a cell or a text box."""
        for element in _blocks(parent):
            if local(element) == "tbl":
                yield from self._table(element)
                continue
            yield from self._paragraph(element)
            for box in _inner(element, "txbxContent"):
                yield from self.parts(box)
            notes, self._pending = self._pending, []
            yield from (Part("paragraph", note) for note in notes)

    def _paragraph(self, paragraph: Element) -> Iterator[Part]:
        text = "".join(self._runs(paragraph)).strip("\n")
        properties = _child(paragraph, "pPr")
        marker = self._marker(properties)
        if not text.strip():
            return
        level = self._heading_level(properties)
        if level:
            yield Part("heading", " ".join(text.split()), level)
        elif self._is_code(properties):
            yield Part("code", text.rstrip())
        elif marker is not None:
            yield Part("list", marker + " ".join(text.split()))
        else:
            yield Part("paragraph", text.strip())

    def _table(self, element: Element) -> Iterator[Part]:
        rows = [
            [" ".join(part.text for part in self.parts(cell)) for cell in _inner(row, "tc")]
            for row in _inner(element, "tr")
        ]
        if all(len(row) <= 1 for row in rows):  # a frame around text
            yield from (Part("paragraph", cell) for row in rows for cell in row)
        else:
            yield Part("table", table(rows))

    def _runs(self, parent: Element) -> Iterator[str]:
        for element in parent:
            name = local(element)
            if name == "t":
                yield element.text or ""
            elif name in _MARKS:
                yield _MARKS[name]
            elif name in _NOTES:
                yield self._note(_NOTES[name], attribute(element, "id") or "")
            elif name not in _LEFT_OUT and name != "txbxContent":
                yield from self._runs(element)

    def _note(self, kind: str, number: str) -> str:
        """Keep a note for below its paragraph; returns the mark in the text."""
        note = self._notes[kind].get(number)
        if note is None:
            return ""
        self._noted += 1
        mark = f"[{self._noted}]"
        text = " ".join(" ".join("".join(_plain(paragraph)).split()) for paragraph in _inner(note, "p"))
        self._pending.append(f"{mark} {text.strip()}")
        return mark

    def _heading_level(self, properties: Element | None) -> int:
        """Return 1 for a title or a heading of the first level, 0 for what is no heading."""
        outline = attribute(_child(properties, "outlineLvl"), "val")
        for style in self._style_chain(properties):
            name = (attribute(_child(style, "name"), "val") or "").lower()
            if name == "title":
                return 1
            if match := re.fullmatch(r"heading (\d)", name):
                return int(match[1])
            outline = outline or attribute(_child(_child(style, "pPr"), "outlineLvl"), "val")
        level = _number(outline, -1) + 1
        return level if level <= _MAX_LEVEL else 0

    def _is_code(self, properties: Element | None) -> bool:
        names = {(attribute(_child(style, "name"), "val") or "").lower() for style in self._style_chain(properties)}
        return bool(names & {"html preformatted", "source code", "code", "preformatted text", "plain text", "macro"})

    def _style_chain(self, properties: Element | None) -> Iterator[Element]:
        """Yield a paragraph's style, the one it is based on, and so on."""
        name, seen = attribute(_child(properties, "pStyle"), "val"), set[str]()
        while name in self._styles and name not in seen:
            seen.add(name)
            yield self._styles[name]
            name = attribute(_child(self._styles[name], "basedOn"), "val")

    def _marker(self, properties: Element | None) -> str | None:
        """Return an item's bullet or number with its indentation, and count it; None for what is no item."""
        holders = [properties, *(_child(style, "pPr") for style in self._style_chain(properties))]
        numbering = next((found for holder in holders if (found := _child(holder, "numPr")) is not None), None)
        number = attribute(_child(numbering, "numId"), "val")
        if number is None or number == "0":
            return None
        level = min(_number(attribute(_child(numbering, "ilvl"), "val"), 0), _MAX_LEVEL)
        definition = self._abstract.get(self._numbers.get(number, ""), {}).get(level)
        if definition is None or attribute(_child(definition, "numFmt"), "val") in (None, "bullet", "none"):
            return "  " * level + "- "
        counts = self._counts[number]
        start = _number(attribute(_child(definition, "start"), "val"), 1)
        counts[level] = counts[level] + 1 if level in counts else start
        for deeper in [other for other in counts if other > level]:
            del counts[deeper]
        return "  " * level + f"{counts[level]}. "


def _blocks(parent: Element) -> Iterator[Element]:
    """Yield the paragraphs and tables below an element, through content controls and marks of insertion."""
    for element in parent:
        name = local(element)
        if name in ("p", "tbl"):
            yield element
        elif name not in _LEFT_OUT:
            yield from _blocks(element)


def _inner(parent: Element, name: str) -> Iterator[Element]:
    """Yield the outermost elements of a name below another, through content controls."""
    for element in parent:
        if local(element) == name:
            yield element
        elif local(element) not in _LEFT_OUT:
            yield from _inner(element, name)


def _plain(paragraph: Element) -> Iterator[str]:
    for element in paragraph.iter():
        if local(element) == "t":
            yield element.text or ""
        elif local(element) in _MARKS:
            yield " "


def _child(parent: Element | None, name: str) -> Element | None:
    return None if parent is None else next((child for child in parent if local(child) == name), None)


def _number(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch(r"[0-9]{1,6}", text) else default


def _optional(package: Package, folder: str, name: str) -> Element | None:
    member = posixpath.join(folder, f"{name}.xml")
    return package.xml(member) if member in package else None


def _by_id(root: Element | None, name: str, key: str) -> dict[str, Element]:
    found = [] if root is None else [child for child in root if local(child) == name]
    return {identifier: child for child in found if (identifier := attribute(child, key)) is not None}


def _numbering(root: Element | None) -> tuple[dict[str, str], dict[str, dict[int, Element]]]:
    """Return which definition each list has, and the levels of each definition."""
    lists = {
        number: attribute(_child(child, "abstractNumId"), "val") or ""
        for number, child in _by_id(root, "num", "numId").items()
    }
    levels = {
        number: {_number(attribute(level, "ilvl"), 0): level for level in child if local(level) == "lvl"}
        for number, child in _by_id(root, "abstractNum", "abstractNumId").items()
    }
    return lists, levels
