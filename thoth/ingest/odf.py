"""OpenDocument (ODT, ODS, ODP, their templates and flat XML) -> blocks; sheets and slides are pages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from thoth.errors import DocumentError
from thoth.ingest import formulas, html, package, refusals, scripts, symbols, tables, text
from thoth.ingest.document import Document, LooseBlock, assemble, merged, table
from thoth.ingest.elements import attribute, below, child, children, local, number
from thoth.ingest.odf_styles import Counter, Styles
from thoth.ingest.package import Package

log = logging.getLogger(__name__)

_MIMETYPE = "application/vnd.oasis.opendocument."
_KINDS = {"text": "a text document", "spreadsheet": "a spreadsheet", "presentation": "a presentation"}
_SUFFIXES = {".odt": "text", ".ott": "text", ".ods": "spreadsheet", ".odp": "presentation"}

_LEFT_OUT = {
    "tracked-changes", "annotation", "annotation-end", "change", "change-start", "change-end", "sequence-decls",
    "forms",
    "variable-decls", "user-field-decls", "desc", "title", "notes", "page-number", "page-count", "note-citation",
    "ruby-text", "event-listeners", "shapes",
}  # fmt: skip
_MOST_CELLS, _MOST_REPEATS = 1_000_000, 1_000
_MAX_LEVEL = 8


def kind(archive: Package) -> str:
    """Return what to call an OpenDocument file, "" for any other archive.

    Raises:
        DocumentError: It is a drawing.
    """
    if "content.xml" not in archive:
        return ""
    named = archive.read("mimetype")[:80].decode("ascii", "replace").strip() if "mimetype" in archive else ""
    if named.startswith(_MIMETYPE):
        name = named.removeprefix(_MIMETYPE).partition("-")[0]
        if name == "graphics":
            raise refusals.old_drawing(archive.name)
        return _KINDS.get(name, "")
    suffix = archive.name[-4:].lower()
    return _KINDS[_SUFFIXES[suffix]] if suffix in _SUFFIXES else ""


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read an OpenDocument file, packed or flat.

    Args:
        data: the file.
        name: of the document.
        charset: what a server says the encoding of a flat file is.

    Raises:
        DocumentError: The file is damaged or encrypted, or unpacks to too much.
    """
    try:
        if not data.startswith(b"PK"):
            markup = text.decode(data, name, charset or html.declared_charset(data), is_markup=True)
            root = package.parse(markup)
            if root is None:
                raise DocumentError(f"{name} is damaged and cannot be read: export it again")
            return _document(name, root, None, None)
        with Package(data, name) as archive:
            manifest = archive.optional("META-INF/manifest.xml")
            if next(below(manifest, "encryption-data"), None) is not None:
                raise archive.encrypted()
            return _document(name, archive.rescued("content.xml"), archive.optional("styles.xml"), archive)
    except RecursionError as error:
        raise DocumentError(f"{name} is damaged and cannot be read: export it again") from error


def _document(name: str, content: Element, styles: Element | None, archive: Package | None) -> Document:
    reader = _Reader(Styles(content, styles), archive)
    body = next(below(content, "body"), None)
    for one in body if body is not None else ():
        if local(one) == "spreadsheet":
            sheets = list(children(one, "table"))
            return assemble(name, reader.sheets(sheets), len(sheets))
        if local(one) == "presentation":
            slides = list(children(one, "page"))
            return assemble(name, reader.slides(slides), len(slides))
        return assemble(name, merged(reader.parts(one), {"code"}))
    return assemble(name, ())


class _Reader:
    """Reads text, tables, sheets and slides with what the styles say about them."""

    def __init__(self, styles: Styles, archive: Package | None) -> None:
        self._styles, self._archive = styles, archive
        self._outline = Counter(styles.outline)
        self._lists: dict[str, Counter] = {}
        self._notes: list[str] = []
        self._noted = 0
        self._boxes: list[Element] = []
        self._open_tables = 0

    def parts(self, parent: Element) -> Iterator[LooseBlock]:
        """Yield what stands in a body, a section, a cell or a frame."""
        for element in parent:
            name = local(element)
            if name in _LEFT_OUT:
                continue
            if name in ("p", "h"):
                yield from self._paragraph(element)
            elif name == "list":
                lines = list(self._list(element, 0, None, None))
                yield from lines
            elif name == "table":
                yield from self._table(element)
            elif name == "section" and attribute(element, "display") == "none":
                continue
            elif name == "frame" or name == "custom-shape":
                yield from self._frame(element)
            else:
                yield from self.parts(element)

    def _paragraph(self, element: Element) -> Iterator[LooseBlock]:
        style = attribute(element, "style-name")
        if self._styles.look(style).hidden:
            return
        runs: list[scripts.Run] = []
        self._inline(element, style, runs)
        found = scripts.join(runs).strip("\n")
        boxes, self._boxes = self._boxes, []
        if found.strip():
            level = (
                number(attribute(element, "outline-level"), 1) if local(element) == "h" else self._styles.level(style)
            )
            if level:
                counted = local(element) == "h" and attribute(element, "is-list-header") != "true"
                marker = self._outline.marker(level - 1, attribute(element, "start-value")) if counted else ""
                yield LooseBlock("heading", " ".join(f"{marker} {found}".split()), level)
            elif self._styles.is_code(style):
                yield LooseBlock("code", found.rstrip())
            else:
                yield LooseBlock("paragraph", found.strip())
        for box in boxes:
            yield from self._frame(box)
        yield from self._pending()

    def _pending(self) -> Iterator[LooseBlock]:
        """Yield the notes to what was read last; those to a cell stand below its table."""
        if not self._open_tables:
            notes, self._notes = self._notes, []
            yield from (LooseBlock("paragraph", note) for note in notes)

    def _frame(self, frame: Element) -> Iterator[LooseBlock]:
        """Yield the text of a frame; a formula or a chart in one is an object."""
        for one in frame:
            if local(one) in ("text-box", "table"):
                yield from self.parts(one) if local(one) == "text-box" else self._table(one)
            elif local(one) in ("p", "h", "list"):
                yield from self.parts(frame)
                return

    def _inline(self, parent: Element, style: str | None, runs: list[scripts.Run]) -> None:
        look = self._styles.look(style)
        visible = not (look.hidden or look.struck)

        def letters(found: str | None) -> None:
            # XML's line ends are blanks; tabs and breaks have elements of their own.
            if found and visible:
                shown = symbols.translated(found, look.font) if look.font else found
                runs.append((" ".join(shown.replace("\n", " ").split(" ")), look.script))

        letters(parent.text)
        for element in parent:
            name = local(element)
            if name == "s":
                letters(" " * min(number(attribute(element, "c"), 1), 100))
            elif name == "tab":
                runs.append(("\t", ""))
            elif name == "line-break":
                runs.append(("\n", ""))
            elif name == "note":
                runs.append((self._note(element), ""))
            elif name in ("frame", "custom-shape"):
                self._in_line_frame(element, runs)
            elif name == "ruby":
                base, above = child(element, "ruby-base"), child(element, "ruby-text")
                self._inline(base, style, runs) if base is not None else None
                above_text = "".join(above.itertext()) if above is not None else ""
                letters(f"({above_text})" if above_text else "")
            elif name in ("hidden-text", "hidden-paragraph"):
                pass
            elif name not in _LEFT_OUT:
                own = attribute(element, "style-name") if name == "span" else None
                self._inline(element, self._styles.inner(own, style) if own else style, runs)
            letters(element.tail)

    def _in_line_frame(self, frame: Element, runs: list[scripts.Run]) -> None:
        for one in below(frame, "object"):
            formula = self._object(one)
            if formula:
                runs.append((formula, ""))
                return
        self._boxes.append(frame)

    def _object(self, element: Element) -> str:
        """Return the formula that an object is, "" for a chart or a drawing."""
        math = next(below(element, "math"), None)
        reference = (attribute(element, "href") or "").removeprefix("./").rstrip("/")
        if math is None and reference and self._archive is not None and f"{reference}/content.xml" in self._archive:
            root = self._archive.optional(f"{reference}/content.xml")
            math = root if root is not None and local(root) == "math" else None
        return formulas.mathml(math) if math is not None else ""

    def _note(self, element: Element) -> str:
        body = child(element, "note-body")
        if body is None:
            return ""
        outer, self._notes = self._notes, []
        self._noted += 1
        mark = f"[{self._noted}]"
        found = " ".join(" ".join(part.text.split()) for part in self.parts(body))
        self._notes = [*outer, f"{mark} {found}", *self._notes]
        return mark

    def _list(self, element: Element, depth: int, style: str | None, counter: Counter | None) -> Iterator[LooseBlock]:
        style = attribute(element, "style-name") or style
        if counter is None:
            continues = attribute(element, "continue-numbering") == "true" or attribute(element, "continue-list")
            if not continues or style not in self._lists:
                self._lists[style or ""] = Counter(self._styles.lists.get(style or "", {}))
            counter = self._lists[style or ""]
        lines: list[str] = []
        for item in element:
            if local(item) not in ("list-item", "list-header"):
                continue
            is_new = local(item) == "list-item"
            for one in item:
                if local(one) == "list":
                    for part in self._list(one, min(depth + 1, _MAX_LEVEL), style, counter):
                        if part.kind == "list":
                            lines.append(part.text)
                        else:
                            yield from self._flushed(lines)
                            yield part
                    continue
                for part in self.parts([one]):  # type: ignore[arg-type]
                    if part.kind not in ("paragraph", "list"):
                        yield from self._flushed(lines)
                        yield part
                        continue
                    marker = counter.marker(depth, attribute(item, "start-value")) if is_new else ""
                    lead = (marker or "-") + " " if is_new else "  "
                    lines.append("  " * depth + lead + " ".join(part.text.split()))
                    is_new = False
        yield from self._flushed(lines)

    @staticmethod
    def _flushed(lines: list[str]) -> Iterator[LooseBlock]:
        if lines:
            yield LooseBlock("list", "\n".join(lines))
            lines.clear()

    def _table(self, element: Element) -> Iterator[LooseBlock]:
        self._open_tables += 1
        rows = [[(list(self.parts(cell)), cell) for cell in row if _is_cell(cell)] for row in _rows(element)]
        self._open_tables -= 1
        yield from self._written(rows)
        yield from self._pending()

    def _written(self, rows: list[list[tuple[list[LooseBlock], Element]]]) -> Iterator[LooseBlock]:
        cells = [[found for found, _ in row] for row in rows]
        is_layout = all(sum(map(bool, row)) <= 1 for row in cells) or any(
            part.kind in ("heading", "table", "code") for row in cells for found in row for part in found
        )
        if is_layout:
            yield from (part for row in cells for found in row for part in found)
            return
        written = []
        for row in rows:
            line: list[str] = []
            for found, cell in row:
                repeats = min(number(attribute(cell, "number-columns-repeated"), 1), _MOST_REPEATS)
                line += [" ".join(part.text for part in found)] * repeats
            written.append(line)
        yield LooseBlock("table", table(written))

    def sheets(self, sheets: list[Element]) -> Iterator[LooseBlock]:
        """Yield the sheets of a spreadsheet; hidden ones are left out."""
        hidden = 0
        for at, sheet in enumerate(sheets, 1):
            if self._styles.is_hidden_sheet(attribute(sheet, "style-name")):
                hidden += 1
                continue
            if len(sheets) - hidden > 1 or at > 1:
                title = attribute(sheet, "name") or f"Sheet {at}"
                found = list(tables.parts(self._cells(sheet), at))
                yield from [LooseBlock("heading", title, 1, at), *found] if found else []
            else:
                yield from tables.parts(self._cells(sheet), at)
        if hidden and self._archive is not None:
            log.warning("%s: %d hidden sheets were left out", self._archive.name, hidden)

    def _cells(self, sheet: Element) -> Iterator[list[str]]:
        left = _MOST_CELLS
        for row in _rows(sheet):
            line: list[str] = []
            for cell in row:
                if not _is_cell(cell):
                    continue
                value = self._value(cell)
                repeats = number(attribute(cell, "number-columns-repeated"), 1)
                line += [value] * min(repeats, _MOST_REPEATS if value else 20_000)
            while line and not line[-1]:
                line.pop()
            repeats = min(number(attribute(row, "number-rows-repeated"), 1), _MOST_REPEATS if line else 1)
            for _ in range(repeats):
                left -= len(line) + 1
                if left < 0:
                    return
                yield line

    def _value(self, cell: Element) -> str:
        if local(cell) == "covered-table-cell":
            return ""
        date = attribute(cell, "date-value")
        if attribute(cell, "value-type") == "date" and date:
            return date.removesuffix("T00:00:00").replace("T", " ")[:16]
        lines = []
        for paragraph in children(cell, "p"):
            runs: list[scripts.Run] = []
            self._inline(paragraph, attribute(paragraph, "style-name"), runs)
            lines.append(scripts.join(runs))
        self._boxes.clear()
        found = " ".join(" ".join(lines).split())
        return found or (attribute(cell, "string-value") or attribute(cell, "value") or "")

    def slides(self, slides: list[Element]) -> Iterator[LooseBlock]:
        """Yield the slides of a presentation; hidden ones are left out."""
        hidden = 0
        for at, slide in enumerate(slides, 1):
            if self._styles.is_hidden_page(attribute(slide, "style-name")):
                hidden += 1
                continue
            for shape in slide:
                kind = attribute(shape, "class")
                if local(shape) == "notes":
                    for part in self.parts(shape):
                        yield LooseBlock("paragraph", f"Notes: {part.text}", page=at)
                    continue
                if kind in ("page-number", "date-time", "footer", "header"):
                    continue
                for part in self.parts([shape]):  # type: ignore[arg-type]
                    if kind == "title" and part.kind == "paragraph":
                        yield LooseBlock("heading", " ".join(part.text.split()), 1, at)
                    else:
                        yield LooseBlock(part.kind, part.text, part.level and part.level + 1, at)
        if hidden and self._archive is not None:
            log.warning("%s: %d hidden slides were left out", self._archive.name, hidden)


def _rows(parent: Element) -> Iterator[Element]:
    for element in parent:
        name = local(element)
        if name == "table-row":
            if attribute(element, "visibility") not in ("collapse", "filter"):
                yield element
        elif name in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(element)


def _is_cell(element: Element) -> bool:
    return local(element) in ("table-cell", "covered-table-cell")
