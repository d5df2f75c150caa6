"""What was added to a PDF: values of form fields, text boxes typed onto a page, data of XFA forms, attached files."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple
from xml.etree import ElementTree

from thoth.ingest.pdf_line import Line
from thoth.ingest.pdfium_calls import ADDRESS, bound, pointer

_MAX_LETTERS = 100_000  # of one value
_MAX_FIELDS = 5000  # of one page
_MAX_ATTACHMENTS = 20
_MAX_XFA_BYTES = 16 << 20
_MAX_DEPTH = 100
_PASSWORD = 1 << 13  # of a text field's flags: its value is not shown on the page either

_LINE_HEIGHT, _DESCENT = 14.0, 0.22
_SLACK = 2.0  # points by which a field may stand over the words beside it

# The only words on the page of a form that is drawn by Adobe's programs.
_PLACEHOLDER = ("please wait", "adobe reader", "adobe acrobat", "pdf viewer", "upgrade to the latest version")
_MAX_PLACEHOLDER_LETTERS = 2000


class Form:
    """The form of a document, if it has one.

    Args:
        document: a `pypdfium2.PdfDocument`; it must stay open.
    """

    def __init__(self, document: Any) -> None:
        import pypdfium2
        import pypdfium2.raw as pdfium

        self._pdfium, self._document = pdfium, document
        self._type = document.get_formtype()
        if self._type == pdfium.FORMTYPE_ACRO_FORM:
            with suppress(pypdfium2.PdfiumError):  # a damaged form has no values
                document.init_forms()
        self.is_placeholder = self._is_placeholder()

    def add_values(self, page: int, lines: list[Line]) -> list[Line]:
        """Return the lines of a page with what was typed into it, each value beside its label.

        Args:
            page: address of PDFium's handle.
            lines: of the page.
        """
        values = [*self._values(page)]
        return _placed(lines, values) if values else lines

    def _values(self, page: int) -> Iterator[Line]:
        """Yield what was typed into a page as lines where it is seen."""
        pdfium, calls, handle = self._pdfium, _calls(), pointer(page)
        for number in range(min(calls.count(handle), _MAX_FIELDS)):
            place = calls.open(handle, number)
            if not place:
                continue
            annotation = pointer(place)
            try:
                if (kind := calls.kind(annotation)) not in (pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_WIDGET):
                    continue  # links, mostly: a manual has thousands
                typed = ctypes.cast(place, pdfium.FPDF_ANNOTATION)
                value, box = self._value(typed, kind), pdfium.FS_RECTF()
                if value and pdfium.FPDFAnnot_GetRect(typed, box):
                    size = min(max(box.top - box.bottom, 1.0), _LINE_HEIGHT)
                    baseline = (box.bottom + box.top - size) / 2 + _DESCENT * size
                    yield Line(value, box.left, box.right, baseline, size)
            finally:
                calls.close(annotation)

    def xfa_values(self) -> list[str]:
        """Return the data of an XFA form, `field: value` for each."""
        for number in range(max(0, self._pdfium.FPDF_GetXFAPacketCount(self._document.raw))):
            name = ctypes.create_string_buffer(64)
            self._pdfium.FPDF_GetXFAPacketName(self._document.raw, number, name, len(name))
            if name.value == b"datasets":
                return _fields(self._packet(number))
        return []

    def _value(self, annotation: Any, kind: int) -> str:
        pdfium = self._pdfium
        if kind == pdfium.FPDF_ANNOT_FREETEXT:
            return self._string(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents")
        if self._document.formenv is None:
            return ""
        form = self._document.formenv.raw
        field = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
        if field in (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON):
            return "[x]" if pdfium.FPDFAnnot_IsChecked(form, annotation) else "[ ]"
        if field not in (
            pdfium.FPDF_FORMFIELD_TEXTFIELD,
            pdfium.FPDF_FORMFIELD_COMBOBOX,
            pdfium.FPDF_FORMFIELD_LISTBOX,
        ):
            return ""
        if pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD:
            return ""
        return self._string(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)

    def _string(self, get: Any, *arguments: Any) -> str:
        """Call a function of PDFium that writes UTF-16 into a buffer."""
        size = get(*arguments, None, 0)
        if not 2 < size <= 2 * _MAX_LETTERS:
            return ""
        buffer = (ctypes.c_ushort * (size // 2 + 1))()
        get(*arguments, buffer, size)
        text = bytes(buffer)[: size - 2].decode("utf-16-le", "ignore")
        return " ".join(text.replace("\r", "\n").split())

    def _packet(self, number: int) -> bytes:
        size = ctypes.c_ulong()
        if not self._pdfium.FPDF_GetXFAPacketContent(self._document.raw, number, None, 0, size):
            return b""
        if not 0 < size.value <= _MAX_XFA_BYTES:
            return b""
        buffer = ctypes.create_string_buffer(size.value)
        self._pdfium.FPDF_GetXFAPacketContent(self._document.raw, number, buffer, size.value, size)
        return buffer.raw

    def _is_placeholder(self) -> bool:
        """Tell whether the pages only say that another program is needed."""
        import pypdfium2

        kinds = (self._pdfium.FORMTYPE_XFA_FULL, self._pdfium.FORMTYPE_XFA_FOREGROUND)
        if self._type not in kinds or len(self._document) > 1:
            return False
        try:
            page = self._document[0]
            text_page = page.get_textpage()
        except pypdfium2.PdfiumError:  # reading the page says what is wrong with it
            return False
        try:
            text = " ".join(text_page.get_text_range().lower().split())
        finally:
            text_page.close()
            page.close()
        return not text or (len(text) < _MAX_PLACEHOLDER_LETTERS and any(mark in text for mark in _PLACEHOLDER))


def attachments(document: Any) -> Iterator[str]:
    """Yield the names of the files that are attached to a document."""
    import pypdfium2

    for number in range(min(document.count_attachments(), _MAX_ATTACHMENTS)):
        try:
            name = document.get_attachment(number).get_name()
        except pypdfium2.PdfiumError:  # the list of files is damaged, the pages may not be
            name = ""
        yield " ".join(name.split()) or "without a name"


class _Calls(NamedTuple):
    """The functions of PDFium for annotations."""

    count: Callable[..., int]
    open: Callable[..., int | None]
    kind: Callable[..., int]
    close: Callable[..., None]


@cache
def _calls() -> _Calls:
    return _Calls(
        bound("FPDFPage_GetAnnotCount"),
        bound("FPDFPage_GetAnnot", returns=ADDRESS),
        bound("FPDFAnnot_GetSubtype"),
        bound("FPDFPage_CloseAnnot", returns=None),
    )


def _placed(lines: Sequence[Line], values: Sequence[Line]) -> list[Line]:
    """Put values behind the words to their left, before those to their right, or between two lines."""
    result, left, alone = [*lines], list[Line](), list[Line]()
    inner: dict[int, list[tuple[int, str]]] = {}
    for value in values:
        if (place := _in_gap(lines, value)) is None:
            left.append(value)
        else:
            inner.setdefault(place[0], []).append((place[1], value.text))
    for number, found in inner.items():
        result[number] = _filled(result[number], found)
    taken = set[int]()
    for value in left:
        beside = [at for at, line in enumerate(lines) if at not in taken and _is_beside(line, value)]
        at = min(beside, key=lambda at: (abs(lines[at].bottom - value.bottom), -lines[at].bottom), default=None)
        if at is None:
            alone.append(value)
            continue
        label = result[at]
        is_behind = label.left <= value.left
        text = f"{label.text} {value.text}" if is_behind else f"{value.text} {label.text}"
        result[at] = label._replace(
            text=text, left=min(label.left, value.left), right=max(label.right, value.right), ends=True
        )
        if is_behind:  # a box to tick may stand in front of the label of the next one
            taken.add(at)
    for value in alone:
        above = next((at for at, line in enumerate(result) if line.bottom < value.bottom), len(result))
        result.insert(above, value._replace(ends=True))
    return result


def _in_gap(lines: Sequence[Line], value: Line) -> tuple[int, int] | None:
    """Return the line in which a value stands between two words far apart, and its place there."""
    for at, line in enumerate(lines):
        if line.gaps and line.left < value.left < line.right and _is_in_row(line, value):
            near = [gap for gap in line.gaps if gap[1] < value.right - _SLACK and value.left + _SLACK < gap[2]]
            if len(near) == 1:
                return at, near[0][0]
    return None


def _filled(line: Line, found: Sequence[tuple[int, str]]) -> Line:
    """Write values into a line, from its end on: the places before them stay as they are."""
    text = line.text
    for at, value in sorted(found, reverse=True):
        text = f"{text[:at]}{value} {text[at:]}"
    return line._replace(text=text, gaps=(), ends=True)


def _is_in_row(line: Line, value: Line) -> bool:
    return abs(line.bottom - value.bottom) < 1.1 * line.size


def _is_beside(line: Line, value: Line) -> bool:
    """Tell whether a value stands in the same row as a line, and not on it."""
    apart = line.right <= value.left + line.size or line.left >= value.right - line.size
    return apart and _is_in_row(line, value)


def _fields(packet: bytes) -> list[str]:
    """Return the leaves of the data that have a value."""
    if b"<!ENTITY" in packet or b"<!DOCTYPE" in packet:
        return []
    try:
        root = ElementTree.fromstring(packet)
    except (ElementTree.ParseError, ValueError, LookupError):
        return []
    data = next((element for element in root.iter() if element.tag.rpartition("}")[2] == "data"), None)
    if data is None:
        return []
    found, stack = [], [(data, 0)]
    while stack:
        element, depth = stack.pop()
        children = [child for child in element if isinstance(child.tag, str)]
        if not children and element.text and element.text.strip():
            found.append(f"{element.tag.rpartition('}')[2]}: {' '.join(element.text.split())}")
        if depth < _MAX_DEPTH:
            stack += [(child, depth + 1) for child in reversed(children)]
    return found
