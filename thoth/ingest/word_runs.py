"""The letters of a Word paragraph: what is shown of them, with symbols, formulas, fields and the marks of notes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from thoth.ingest import formulas, scripts, symbols
from thoth.ingest.elements import attribute, below, child, children, local, number
from thoth.ingest.word_styles import PLAIN, Look, Styles, look

# Deleted or moved text, and the copy of a drawing for older readers.
LEFT_OUT = {
    "del",
    "moveFrom",
    "Fallback",
    "pPr",
    "rPr",
    "sectPr",
    "sdtPr",
    "sdtEndPr",
    "tblPr",
    "tblGrid",
    "trPr",
    "tcPr",
}
_MARKS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes"}
_PAGE_FIELDS = {"PAGE", "NUMPAGES", "SECTIONPAGES", "SECTION", "STYLEREF"}


@dataclass
class _Field:
    """A field that is open: what it is told to show, and whether what it shows has begun."""

    instruction: str = ""
    shown: bool = False
    form: Element | None = None

    @property
    def is_page_number(self) -> bool:
        return (self.instruction.split() or [""])[0].upper() in _PAGE_FIELDS


class Runs:
    """Reads the runs of paragraphs, and keeps the notes that they refer to."""

    def __init__(self, styles: Styles, notes: Mapping[str, Mapping[str, Element]]) -> None:
        self._styles = styles
        self._notes = notes
        self._marks: dict[tuple[str, str], str] = {}
        self._pending: list[str] = []
        self._in_note = False
        self._fields: list[_Field] = []
        self._out: list[scripts.Run] = []

    def of(self, paragraph: Element) -> list[scripts.Run]:
        """Return the runs of a paragraph, without those of text boxes in it."""
        outer, self._out = self._out, []
        style = attribute(child(child(paragraph, "pPr"), "pStyle"), "val")
        self._children(paragraph, self._styles.look(style))
        found, self._out = self._out, outer
        return found

    def pending(self) -> list[str]:
        """Return the notes that belong below what was read last, once."""
        found, self._pending = self._pending, []
        return found

    def boxes(self, element: Element) -> Iterator[Element]:
        """Yield the outermost text boxes in a paragraph."""
        for one in element:
            name = local(one)
            if name == "txbxContent":
                yield one
            elif name not in LEFT_OUT:
                yield from self.boxes(one)

    def _children(self, parent: Element, inherited: Look) -> None:
        for element in parent:
            name = local(element)
            if name in LEFT_OUT or name == "txbxContent":
                continue
            if name == "r":
                self._run(element, inherited)
            elif name in ("oMath", "oMathPara"):
                formula = formulas.omml(element)
                self._out.append((f"\n{formula}\n" if name == "oMathPara" else formula, ""))
            elif name == "sdt":
                properties = child(element, "sdtPr")
                if child(properties, "showingPlcHdr") is None:  # "Click here to enter text."
                    self._children(element, inherited)
            elif name == "fldSimple":
                field = _Field(attribute(element, "instr") or "")
                if not field.is_page_number:
                    self._children(element, inherited)
            elif name == "ruby":
                self._ruby(element, inherited)
            else:
                self._children(element, inherited)

    def _run(self, run: Element, inherited: Look) -> None:
        properties = child(run, "rPr")
        found = look(properties)
        style = attribute(child(properties, "rStyle"), "val")
        found = found.over(self._styles.look(style)) if style else found
        found = found.over(inherited) if inherited is not PLAIN else found
        if found.hidden or found.struck or child(properties, "del") is not None:
            for element in run:  # a field may begin or end here all the same
                if local(element) in ("fldChar", "instrText"):
                    self._in_field(element)
            return
        for element in run:
            self._piece(element, found)

    def _piece(self, element: Element, found: Look) -> None:
        name = local(element)
        if name in ("fldChar", "instrText"):
            self._in_field(element)
            return
        if any(not field.shown or field.is_page_number for field in self._fields):
            return
        script = found.script or ""
        if name == "t":
            text = element.text or ""
            if found.font and symbols.is_symbol_font(found.font):
                text = symbols.translated(text, found.font)
            self._out.append((text, script))
        elif name in _MARKS:
            self._out.append((_MARKS[name], ""))
        elif name == "sym":
            code = attribute(element, "char") or ""
            code_point = int(code, 16) if re.fullmatch(r"[0-9a-fA-F]{1,6}", code) else 0
            self._out.append((symbols.symbol(code_point, attribute(element, "font")), script))
        elif name in _NOTES:
            self._out.append((self._note(_NOTES[name], attribute(element, "id") or ""), ""))
        elif name == "ruby":
            self._ruby(element, found)
        elif name == "r":
            self._run(element, found)
        elif name == "symEx":
            code = attribute(element, "char") or ""
            self._out.append(
                (symbols.symbol(int(code, 16) if re.fullmatch(r"[0-9a-fA-F]{1,6}", code) else 0, None), "")
            )
        elif name not in LEFT_OUT and name not in ("txbxContent", "delText"):
            for inner in element:
                self._piece(inner, found)

    def _ruby(self, element: Element, inherited: Look) -> None:
        """Write the small letters above others after them."""
        base, above = child(element, "rubyBase"), child(element, "rt")
        if base is not None:
            self._children(base, inherited)
        if above is not None:
            self._out.append(("(", ""))
            self._children(above, inherited)
            self._out.append((")", ""))

    def _in_field(self, element: Element) -> None:
        if local(element) == "instrText":
            if self._fields:
                self._fields[-1].instruction += element.text or ""
            return
        kind = attribute(element, "fldCharType")
        if kind == "begin":
            self._fields.append(_Field(form=child(element, "ffData")))
        elif self._fields and kind == "separate":
            self._fields[-1].shown = True
        elif self._fields and kind == "end":
            field = self._fields.pop()
            visible = all(outer.shown for outer in self._fields)
            if visible and (text := _shown(field)):
                self._out.append((text, ""))

    def _note(self, kind: str, identifier: str) -> str:
        """Keep a note for below its paragraph, the first time it is referred to; returns the mark in the text."""
        note = self._notes[kind].get(identifier)
        if note is None or self._in_note:
            return ""
        if (kind, identifier) not in self._marks:
            mark = self._marks[kind, identifier] = f"[{len(self._marks) + 1}]"
            self._in_note, fields, self._fields = True, self._fields, []
            text = " ".join(" ".join(scripts.join(self.of(paragraph)).split()) for paragraph in below(note, "p"))
            self._in_note, self._fields = False, fields
            self._pending.append(f"{mark} {text.strip()}")
        return self._marks[kind, identifier]


def _shown(field: _Field) -> str:
    """Return what a field shows that has no text of its own in the file: a box, a choice, a symbol, a fraction."""
    box = child(field.form, "checkBox")
    if box is not None:
        ticked = child(box, "checked")
        ticked = child(box, "default") if ticked is None else ticked
        return "[x] " if ticked is not None and attribute(ticked, "val") not in ("0", "false", "off") else "[ ] "
    if field.shown:
        return ""
    choices = child(field.form, "ddList")
    if choices is not None:
        entries = [attribute(entry, "val") or "" for entry in children(choices, "listEntry")]
        chosen = number(attribute(child(choices, "result"), "val"), 0)
        return entries[chosen] if 0 <= chosen < len(entries) else ""
    if match := re.match(r"""\s*SYMBOL\s+(\d{1,5}|0x[0-9a-fA-F]{1,4})(?:.*?\\f\s+"?([\w ]+))?""", field.instruction):
        return symbols.symbol(int(match[1], 0) if match[1].startswith("0x") else int(match[1]), match[2])
    if match := re.match(r"\s*EQ\s+\\f\s*\(([^,;()]{1,60})[,;]([^,;()]{1,60})\)", field.instruction, re.IGNORECASE):
        return f"{match[1].strip()}/{match[2].strip()}"
    return ""
