"""Word's DOCX -> headings, paragraphs, lists, tables and footnotes, as they stand after all changes are accepted."""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element

from thoth.errors import DocumentError, NoTextError
from thoth.ingest import drawings, scripts
from thoth.ingest.document import Document, LooseBlock, assemble, merged, parts_of
from thoth.ingest.elements import attribute, below, child, children, local
from thoth.ingest.package import Package
from thoth.ingest.word_numbering import Numbering
from thoth.ingest.word_runs import LEFT_OUT, Runs
from thoth.ingest.word_styles import Styles
from thoth.ingest.word_tables import written

log = logging.getLogger(__name__)

_MAIN, _TYPES = "word/document.xml", "[Content_Types].xml"
_NOTES = {"footnotes": "footnote", "endnotes": "endnote"}

# What a header says besides its page number.
_PAGE_WORDS = re.compile(r"\b(?:page|of|seite|von|sur|pagina|página|di|de|strana|sida|av)\b", re.IGNORECASE)

ReadOther = Callable[[bytes, str], Document]


def read(data: bytes, name: str, read_other: ReadOther | None = None) -> Document:
    """Read a Word document.

    Args:
        data: the file.
        name: name of the document.
        read_other: reads documents of other formats that are kept within it; without it they are left out.

    Raises:
        DocumentError: The file is damaged or encrypted, or unpacks to too much.
    """
    return assemble(name, parts(data, name, read_other))


def parts(data: bytes, name: str, read_other: ReadOther | None = None) -> list[LooseBlock]:
    """Return a Word document's blocks.

    Args:
        data: the file.
        name: of the document, for errors.
        read_other: as for `read`.

    Raises:
        DocumentError: As `read`.
    """
    with Package(data, name) as package:
        main = _main(package)
        body = next(below(package.rescued(main), "body"), None)
        if body is None:
            raise package.damaged()
        try:
            return list(merged(_Reader(package, main, read_other).document(body), {"list", "code"}))
        except RecursionError as error:  # nested a thousand deep: no document is
            raise package.damaged() from error


def is_docx(package: Package) -> bool:
    """Tell a Word document from a spreadsheet or a presentation."""
    return package.find(_MAIN) is not None or (_TYPES in package and package.has_folder("word"))


def _main(package: Package) -> str:
    for kind, target in package.relations("").values():
        if kind == "officeDocument" and (found := package.find(target)):
            return found
    found = package.find(_MAIN)
    return found or next((member for member in package if re.fullmatch(r"word/document\w*\.xml", member)), _MAIN)


class _Reader:
    """Reads paragraphs and tables with what styles, numbering and notes say about them."""

    def __init__(self, package: Package, main: str, read_other: ReadOther | None) -> None:
        self._package, self._main, self._read_other = package, main, read_other
        folder = posixpath.dirname(main)
        self._relations = package.relations(main)

        def part(kind: str) -> Element | None:
            target = next((target for found, target in self._relations.values() if found == kind), None)
            return package.optional(target or posixpath.join(folder, f"{kind}.xml"))

        self._styles = Styles(part("styles"))
        self._numbering = Numbering(part("numbering"), self._styles)
        notes = {kind: {attribute(note, "id") or "": note for note in children(part(kind), name)}
                 for kind, name in _NOTES.items()}  # fmt: skip
        self._runs = Runs(self._styles, notes)
        self._open_tables = 0

    def document(self, body: Element) -> Iterator[LooseBlock]:
        """Yield what a document says: headers once, the body, footers once."""
        headers = list(self._margins("headerReference", body))
        found = list(self.parts(body))
        seen = {part.text for part in found}
        yield from (part for part in headers if part.text not in seen)
        yield from found
        yield from (part for part in self._margins("footerReference", body) if part.text not in seen)

    def parts(self, parent: Element) -> Iterator[LooseBlock]:
        """Yield what stands in a body, a cell or a text box."""
        carried: list[scripts.Run] = []
        for element in _blocks(parent):
            name = local(element)
            if name == "tbl":
                yield from self._table(element)
            elif name == "altChunk":
                yield from self._chunk(attribute(element, "id") or "")
            else:
                runs = carried + self._runs.of(element)
                properties = child(element, "pPr")
                # A deleted mark joins its paragraph with the next one, and so does a large initial.
                joins = _is_deleted(child(properties, "rPr")) or attribute(child(properties, "framePr"), "dropCap")
                carried = runs if joins and joins != "none" else []
                if not carried:
                    yield from self._paragraph(scripts.join(runs), properties)
                for box in self._runs.boxes(element):
                    yield from self.parts(box)
                yield from drawings.graphics(element, self._relations, self._package)
                yield from self._notes()
        if carried:
            yield from self._paragraph(scripts.join(carried), None)

    def _table(self, element: Element) -> Iterator[LooseBlock]:
        self._open_tables += 1
        found = list(written(element, self.parts))
        self._open_tables -= 1
        yield from found
        yield from self._notes()

    def _notes(self) -> Iterator[LooseBlock]:
        """Yield the notes to what was read last; those to a cell stand below its table."""
        if not self._open_tables:
            yield from (LooseBlock("paragraph", note) for note in self._runs.pending())

    def _paragraph(self, text: str, properties: Element | None) -> Iterator[LooseBlock]:
        text = text.strip("\n")
        if not text.strip():
            return
        found = self._numbering.marker(properties)
        level = self._styles.heading_level(properties)
        flat = " ".join(text.split())
        if level:
            number = found[1] + " " if found and found[1] not in ("", "-") else ""
            yield LooseBlock("heading", number + flat, level)
        elif self._styles.is_code(properties):
            yield LooseBlock("code", text.rstrip())
        elif found is not None:
            yield LooseBlock("list", "  " * found[0] + (f"{found[1]} " if found[1] else "") + flat)
        else:
            yield LooseBlock("paragraph", text.strip())

    def _margins(self, name: str, body: Element) -> Iterator[LooseBlock]:
        """Yield what headers or footers of the first section say besides page numbers, each text once."""
        seen = set[str]()
        found = children(next(below(body, "sectPr"), None), name)  # later ones repeat a chapter's title
        members = dict.fromkeys(self._relations.get(attribute(one, "id") or "", ("", ""))[1] for one in found)
        for member in members:
            root = self._package.optional(member) if member else None
            for part in self.parts(root) if root is not None else ():
                if part.text not in seen and re.search(r"[^\W\d_]", _PAGE_WORDS.sub("", part.text)):
                    seen.add(part.text)
                    yield LooseBlock("paragraph", part.text) if part.kind == "heading" else part

    def _chunk(self, identifier: str) -> Iterator[LooseBlock]:
        """Yield a document of another format that is kept within this one."""
        member = self._package.find(self._relations.get(identifier, ("", ""))[1])
        try:
            if member is None or self._read_other is None:
                raise self._package.damaged()
            data = self._package.read(member)
            if data.startswith(b"PK"):
                yield from parts(data, self._package.name)
                return
            yield from parts_of(self._read_other(data, posixpath.basename(member)))
        except (DocumentError, NoTextError):
            log.warning("%s: a document within it cannot be read and was left out", self._package.name)


def _blocks(parent: Element) -> Iterator[Element]:
    """Yield the paragraphs and tables below an element, through content controls and marks of insertion."""
    for element in parent:
        name = local(element)
        if name in ("p", "tbl", "altChunk"):
            yield element
        elif name not in LEFT_OUT:
            yield from _blocks(element)


def _is_deleted(properties: Element | None) -> bool:
    return child(properties, "del") is not None or child(properties, "moveFrom") is not None
