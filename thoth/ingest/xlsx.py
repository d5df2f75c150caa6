"""Excel's XLSX -> sheets as pages, dates and numbers as they are shown, the header with every block of rows."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from thoth.errors import DocumentError
from thoth.ingest import drawings, tables
from thoth.ingest.document import Document, LooseBlock, assemble
from thoth.ingest.elements import attribute, below, child, children, local, number
from thoth.ingest.number_formats import Formats
from thoth.ingest.package import Package, elements

log = logging.getLogger(__name__)

_MAIN = "xl/workbook.xml"
_MOST_CELLS = 1_000_000
_MOST_COLUMNS, _MOST_EMPTY_ROWS = 16_384, 2
_PIECE = 1 << 16
_MOST_ELEMENTS = 4 * _MOST_CELLS


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read a spreadsheet; hidden sheets, rows and columns are left out.

    Args:
        data: the file.
        name: of the document.
        charset: not looked at.

    Raises:
        DocumentError: The file is damaged or encrypted, or unpacks to too much.
    """
    with Package(data, name) as package:
        book = _Book(package)
        return assemble(name, book.parts(), len(book.sheets))


class _Book:
    """A workbook: its sheets, and what their cells refer to."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._main = next(
            (target for kind, target in package.relations("").values() if kind == "officeDocument"), _MAIN
        )
        root = package.xml(package.find(self._main) or self._main)
        self._relations = package.relations(self._main)
        properties = child(root, "workbookPr")
        self._formats = Formats(self._part("styles"), attribute(properties, "date1904") in ("1", "true"))
        self.sheets = list(below(root, "sheet"))
        self._strings = _strings(self._part("sharedStrings"))
        self._left = _MOST_CELLS

    def _part(self, kind: str) -> Element | None:
        target = next((target for found, target in self._relations.values() if found == kind), f"xl/{kind}.xml")
        return self._package.optional(target)

    def parts(self) -> Iterator[LooseBlock]:
        """Yield the sheets in their order."""
        hidden = lost = 0
        for at, sheet in enumerate(self.sheets, 1):
            if attribute(sheet, "state") in ("hidden", "veryHidden"):
                hidden += 1
                continue
            relation = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
            kind, target = self._relations.get(relation, ("worksheet", f"xl/worksheets/sheet{at}.xml"))
            member = self._package.find(target)
            if kind not in ("worksheet", "chartsheet"):
                continue
            try:
                if member is None:
                    raise self._package.damaged()
                rows = self._rows(self._package.text(member)) if kind == "worksheet" else ()
                found = [*tables.parts(rows, at), *self._drawn(member, at)]
            except DocumentError:
                if self._package.is_spent:
                    raise
                lost += 1
                continue
            if found and len(self.sheets) > 1:
                yield LooseBlock("heading", attribute(sheet, "name") or f"Sheet {at}", 1, at)
            yield from found
        if lost and lost == len(self.sheets) - hidden:
            raise self._package.damaged()
        for count, what in ((hidden, "hidden"), (lost, "damaged")):
            if count:
                sheets = "sheet was" if count == 1 else "sheets were"
                log.warning("%s: %d %s %s left out", self._package.name, count, what, sheets)
        if self._left < 0:
            log.warning("%s: only its first %d cells were read: split it", self._package.name, _MOST_CELLS)

    def _drawn(self, member: str, page: int) -> Iterator[LooseBlock]:
        """Yield what text boxes and charts on a sheet say."""
        for kind, target in self._package.relations(member).values():
            root = self._package.optional(target) if kind == "drawing" else None
            if root is not None:
                relations = self._package.relations(target)
                for part in (*drawings.boxes(root), *drawings.graphics(root, relations, self._package)):
                    yield LooseBlock(part.kind, part.text, page=page)

    def _rows(self, markup: str) -> Iterator[list[str]]:
        """Yield the rows of a sheet, empty ones between them too; read piece by piece, for a sheet may be large."""
        if "<!ENTITY" in markup or elements(markup) > _MOST_ELEMENTS:
            raise self._package.damaged()
        at = last = 0  # the row, and the last one that was not empty
        hidden_columns = set[int]()
        for element in _elements(markup, self._package):
            if local(element) == "cols":
                for one in children(element, "col"):
                    if attribute(one, "hidden") in ("1", "true"):
                        first, end = number(attribute(one, "min"), 1), number(attribute(one, "max"), 1)
                        hidden_columns.update(range(first - 1, min(end, first + 500)))
                continue
            at = number(element.get("r"), at + 1)
            self._left -= 1
            if self._left < 0:
                return
            if not len(element):  # a format for cells that do not exist
                continue
            if attribute(element, "hidden") not in ("1", "true"):
                yield from [[]] * min(max(0, at - last - 1), _MOST_EMPTY_ROWS)
                row = self._row(element, hidden_columns)
                self._left -= len(row)
                yield row
            last = at
            element.clear()

    def _row(self, element: Element, hidden_columns: set[int]) -> list[str]:
        row: list[str] = []
        for cell in children(element, "c"):
            column = _column(attribute(cell, "r"), len(row))
            if column >= _MOST_COLUMNS:
                break
            value = self._value(cell)
            if value and column not in hidden_columns:
                row += [""] * (column - len(row))
                row[column:] = [value]
            elif column >= len(row):
                row += [""] * (column + 1 - len(row))
        kept = [value for column, value in enumerate(row) if column not in hidden_columns]
        while kept and not kept[-1]:
            kept.pop()
        return kept

    def _value(self, cell: Element) -> str:
        kind = attribute(cell, "t") or "n"
        style = number(attribute(cell, "s"), 0)
        if kind == "inlineStr":
            inline = child(cell, "is")
            return self._formats.of_text(_rich(inline), style) if inline is not None else ""
        raw = child(cell, "v")
        text = "" if raw is None else raw.text or ""
        if kind == "s":
            at = number(text.strip(), -1)
            return self._formats.of_text(self._strings[at], style) if 0 <= at < len(self._strings) else ""
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(text.strip(), text)
        if kind == "d":
            return text.removesuffix("Z").removesuffix("T00:00:00").replace("T", " ")
        if not text.strip():  # the program that wrote it does not calculate
            formula = child(cell, "f")
            return f"={formula.text}" if formula is not None and formula.text else ""
        if kind in ("str", "e"):
            return self._formats.of_text(_unescaped(text), style)
        return self._formats.shown(text.strip(), style)


def _elements(markup: str, package: Package) -> Iterator[Element]:
    """Yield the rows of a sheet, and its columns' properties, as soon as they are read."""
    parser: XMLPullParser[Element] = XMLPullParser(["start", "end"])
    depth, data = 0, None
    names: dict[str, str] = {}  # a sheet has few, each a million times
    try:
        for start in range(0, len(markup), _PIECE):
            parser.feed(markup[start : start + _PIECE])
            for event, element in cast("Iterator[tuple[str, Element]]", parser.read_events()):
                name = names.get(element.tag) or names.setdefault(element.tag, local(element))
                depth += 1 if event == "start" else -1
                if depth > 200:
                    raise package.damaged()
                if event == "start" and name == "sheetData":
                    data = element
                elif event == "end" and name in ("row", "cols"):
                    yield element
                    if data is not None and len(data) > 100:
                        data.clear()
        parser.close()
    except (ParseError, ValueError) as error:
        raise package.damaged() from error


def _strings(root: Element | None) -> list[str]:
    return [] if root is None else [_rich(item) for item in children(root, "si")]


def _rich(item: Element) -> str:
    """Return a text with its raised and lowered letters marked; how Japanese is spoken is left out."""
    from thoth.ingest import scripts

    runs: list[scripts.Run] = []
    for element in item:
        if local(element) == "t":
            runs.append((element.text or "", ""))
        elif local(element) == "r":
            properties = child(element, "rPr")
            if child(properties, "strike") is not None and attribute(child(properties, "strike"), "val") != "0":
                continue
            raised = attribute(child(properties, "vertAlign"), "val")
            text = "".join(found.text or "" for found in children(element, "t"))
            runs.append((text, "sup" if raised == "superscript" else "sub" if raised == "subscript" else ""))
    return _unescaped(scripts.join(runs))


def _unescaped(text: str) -> str:
    return re.sub(r"_x([0-9A-Fa-f]{4})_", _character, text) if "_x" in text else text


def _character(found: re.Match[str]) -> str:
    """Return the character that Excel writes as `_x000D_`, a blank for one that text does not have."""
    code = int(found[1], 16)
    return chr(code) if code >= 0x20 and not 0xD800 <= code < 0xE000 else " "


def _column(reference: str | None, default: int) -> int:
    """Return the column of a reference such as `AB12`, from 0."""
    found = re.match(r"[A-Z]{1,3}", reference or "")
    if not found:
        return default
    column = 0
    for letter in found[0]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1
