"""PowerPoint's PPTX -> slides as pages: title, text, tables, charts, and the notes below each slide."""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from thoth.ingest import drawings, formulas, numerals, scripts, symbols
from thoth.ingest.document import Document, LooseBlock, assemble, table
from thoth.ingest.elements import attribute, below, child, children, local, number
from thoth.ingest.package import Package

log = logging.getLogger(__name__)

_MAIN = "ppt/presentation.xml"
# Placeholders that every slide repeats.
_REPEATED = {"sldNum", "dt", "ftr", "hdr"}
_TITLES = {"title", "ctrTitle"}
_MAX_LEVEL = 8
_NUMBERED = re.compile(r"(arabic|alphaLc|alphaUc|romanLc|romanUc)(\w*)")
_STYLES = {"arabic": "decimal", "alphaLc": "lowerLetter", "alphaUc": "upperLetter", "romanLc": "lowerRoman",
           "romanUc": "upperRoman"}  # fmt: skip


def read(data: bytes, name: str) -> Document:
    """Read a presentation; hidden slides are left out.

    Raises:
        DocumentError: The file is damaged or encrypted, or unpacks to too much.
    """
    with Package(data, name) as package:
        slides = _slides(package)
        try:
            return assemble(name, _parts(package, slides), len(slides))
        except RecursionError as error:
            raise package.damaged() from error


def _slides(package: Package) -> list[str]:
    """Return the members of the slides in their order."""
    main = next((target for kind, target in package.relations("").values() if kind == "officeDocument"), _MAIN)
    root = package.optional(main)
    relations = package.relations(main)
    if root is not None:
        listed = [relations.get(_relation(one), ("", ""))[1] for one in below(root, "sldId")]
        if any(listed):
            return listed
    found = [member for member in package if re.fullmatch(r"ppt/slides/slide\d+\.xml", member)]
    return sorted(found, key=lambda member: int(re.sub(r"\D", "", posixpath.basename(member)) or 0))


def _relation(element: Element) -> str:
    """Return an element's `r:id`; its other `id` is a number."""
    return next((value for key, value in element.attrib.items() if key.endswith("}id")), "")


def _parts(package: Package, slides: list[str]) -> Iterator[LooseBlock]:
    hidden = lost = 0
    for at, member in enumerate(slides, 1):
        root = package.optional(member) if package.find(member) else None
        if root is None:
            lost += 1
            continue
        if root.get("show") in ("0", "false"):
            hidden += 1
            continue
        relations = package.relations(member)
        tree = next(below(root, "spTree"), None)
        for part in _Slide(package, relations).shapes(tree) if tree is not None else ():
            yield LooseBlock(part.kind, part.text, part.level, at)
        for kind, target in relations.values():
            notes = package.optional(target) if kind == "notesSlide" else None
            if notes is not None and (text := _notes(package, notes)):
                yield LooseBlock("paragraph", f"Notes: {text}", page=at)
    if hidden:
        log.warning("%s: %d hidden slide%s left out", package.name, hidden, " was" if hidden == 1 else "s were")
    if lost and lost == len(slides):
        raise package.damaged()
    if lost:
        log.warning("%s: %d of its %d slides cannot be read and were left out", package.name, lost, len(slides))


def _notes(package: Package, root: Element) -> str:
    for shape in below(root, "sp"):
        if _placeholder(shape) == "body":
            return " ".join(" ".join(part.text for part in _Slide(package, {}).shape(shape)).split())
    return ""


def _placeholder(shape: Element) -> str | None:
    """Return which place of its layout a shape fills, None for a shape of its own."""
    found = next((ph for holder in shape if local(holder).startswith("nv") for ph in below(holder, "ph")), None)
    return None if found is None else attribute(found, "type") or "body"


class _Slide:
    """Reads the shapes of one slide."""

    def __init__(self, package: Package, relations: dict[str, tuple[str, str]]) -> None:
        self._package, self._relations = package, relations

    def shapes(self, parent: Element) -> Iterator[LooseBlock]:
        """Yield what shapes say, the title first, through groups."""
        shapes = list(self._outermost(parent))
        shapes.sort(key=lambda shape: _placeholder(shape) not in _TITLES)  # stable: the others keep their order
        for shape in shapes:
            yield from self.shape(shape)

    def _outermost(self, parent: Element) -> Iterator[Element]:
        for element in parent:
            name = local(element)
            if name in ("sp", "graphicFrame", "cxnSp"):
                yield element
            elif name not in ("Fallback", "nvGrpSpPr", "grpSpPr", "pic"):
                yield from self._outermost(element)

    def shape(self, shape: Element) -> Iterator[LooseBlock]:
        """Yield what one shape says."""
        place = _placeholder(shape)
        properties = next(
            (p for holder in shape if local(holder).startswith("nv") for p in below(holder, "cNvPr")), None
        )
        if place in _REPEATED or attribute(properties, "hidden") in ("1", "true"):
            return
        if local(shape) == "graphicFrame":
            for found in below(shape, "tbl"):
                yield from self._table(found)
            yield from drawings.graphics(shape, self._relations, self._package)
            return
        body = child(shape, "txBody")
        if body is None:
            return
        if place in _TITLES:
            title = " ".join(" ".join(text for text, _ in _paragraphs(body)).split())
            yield LooseBlock("heading", title, 1)
            return
        lines = [(text, marker) for text, marker in _paragraphs(body) if text.strip()]
        # The body of a layout has bullets without saying so; a line alone is a sentence.
        is_list = place in ("body", "obj") and len(lines) > 1
        items: list[str] = []
        for text, marker in lines:
            if marker.strip() or (is_list and marker is not _PLAIN):
                lead = marker if marker.strip() else f"{marker}- "
                items.append(lead + " ".join(text.split()))
                continue
            if items:
                yield LooseBlock("list", "\n".join(items))
                items = []
            yield LooseBlock("paragraph", text.strip())
        if items:
            yield LooseBlock("list", "\n".join(items))

    def _table(self, element: Element) -> Iterator[LooseBlock]:
        rows = []
        for row in children(element, "tr"):
            cells = []
            for cell in children(row, "tc"):
                covered = {attribute(cell, "hMerge"), attribute(cell, "vMerge")} & {"1", "true"}
                body = child(cell, "txBody")
                text = " ".join(text for text, _ in _paragraphs(body)) if body is not None else ""
                cells.append("" if covered else text)
            rows.append(cells)
        yield LooseBlock("table", table(rows))


_PLAIN = "\0plain"


def _paragraphs(body: Element) -> Iterator[tuple[str, str]]:
    """Yield the paragraphs of a shape and what stands before each: indentation, and a bullet or number."""
    counts: dict[int, int] = {}
    for paragraph in children(body, "p"):
        text = scripts.join(_runs(paragraph))
        properties = child(paragraph, "pPr")
        level = max(0, min(number(attribute(properties, "lvl"), 0), _MAX_LEVEL))
        counts = {at: count for at, count in counts.items() if at <= level}
        automatic = child(properties, "buAutoNum")
        indent = "  " * level
        if automatic is not None and text.strip():
            start = number(attribute(automatic, "startAt"), 1)
            counts[level] = counts.get(level, start - 1) + 1
            yield text, indent + _number(counts[level], attribute(automatic, "type") or "") + " "
            continue
        counts.pop(level, None)
        if child(properties, "buChar") is not None or child(properties, "buBlip") is not None:
            yield text, f"{indent}- "
        else:
            yield text, _PLAIN if child(properties, "buNone") is not None else indent


def _number(count: int, kind: str) -> str:
    found = _NUMBERED.match(kind)
    text = numerals.written(count, _STYLES[found[1]] if found else "decimal")
    end = found[2] if found else "Period"
    return {"ParenBoth": f"({text})", "ParenR": f"{text})", "Plain": text, "Minus": f"- {text} -"}.get(end, f"{text}.")


def _runs(paragraph: Element) -> Iterator[scripts.Run]:
    for element in paragraph:
        name = local(element)
        if name in ("r", "fld"):
            if name == "fld" and (attribute(element, "type") or "") == "slidenum":
                continue
            properties = child(element, "rPr")
            if attribute(properties, "strike") in ("sngStrike", "dblStrike"):
                continue
            raised = number(attribute(properties, "baseline"), 0)
            text = "".join(found.text or "" for found in children(element, "t"))
            font = attribute(child(properties, "sym"), "typeface") or attribute(child(properties, "latin"), "typeface")
            text = symbols.translated(text, font) if symbols.is_symbol_font(font) else text
            yield text, "sup" if raised > 0 else "sub" if raised < 0 else ""
        elif name == "br":
            yield "\n", ""
        elif name in ("m", "AlternateContent", "Choice", "oMath", "oMathPara"):
            for math in [element] if name.startswith("oMath") else below(element, "oMath"):
                yield formulas.omml(math), ""
