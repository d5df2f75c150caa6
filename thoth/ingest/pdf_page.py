"""An open page of a PDF: its text as PDFium gives it, its box, and how it is turned.

The objects of pypdfium2 track each other so that any order of closing works; a page of a report costs less than that.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import Any, NamedTuple, Self

from thoth.ingest.pdfium_calls import ADDRESS, address, bound, pointer

Box = tuple[float, float, float, float]


class PageError(Exception):
    """PDFium cannot open a page."""


class Page:
    """A page and its letters, as addresses of PDFium's handles; they end with the `with` block.

    Args:
        document: a `pypdfium2.PdfDocument`; it must stay open.
        number: of the page, from 0.

    Raises:
        PageError: The page is broken.
    """

    def __init__(self, document: Any, number: int) -> None:
        self._calls = _functions()
        self._form = pointer(address(document.formenv.raw)) if document.formenv else None
        self.handle = self._calls.open(pointer(address(document.raw)), number) or 0
        if not self.handle:
            raise PageError
        self._page = pointer(self.handle)
        if self._form:
            self._calls.opened(self._page, self._form)
        self.letters = self._calls.open_letters(self._page) or 0
        if not self.letters:
            self._close()
            raise PageError
        self._text = pointer(self.letters)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._calls.close_letters(self._text)
        self._close()

    def count(self) -> int:
        """Return the number of letters; some have no place in the text."""
        return self._calls.count(self._text)

    def text(self) -> str:
        """Return the text in the order in which it was drawn."""
        count = self.count()
        if count <= 0:
            return ""
        units = array("H", bytes(2 * count + 2))
        written = self._calls.text(self._text, 0, count, pointer(units.buffer_info()[0]))
        return units[: max(0, written - 1)].tobytes().decode("utf-16-le", "ignore")

    def rotation(self) -> int:
        """Return how the page is turned, in degrees clockwise: 0, 90, 180 or 270."""
        return 90 * max(0, self._calls.rotation(self._page))

    def box(self) -> Box | None:
        """Return left, bottom, right and top of what is seen before it is turned, in points; None if unknown."""
        edges = array("f", bytes(16))
        if not self._calls.box(self._page, pointer(edges.buffer_info()[0])):
            return None
        left, top, right, bottom = edges
        return left, bottom, right, top

    def _close(self) -> None:
        if self._form:
            self._calls.closes(self._page, self._form)
        self._calls.close(self._page)


class _Functions(NamedTuple):
    """PDFium's functions for pages."""

    open: Callable[..., int | None]
    opened: Callable[..., None]
    open_letters: Callable[..., int | None]
    count: Callable[..., int]
    text: Callable[..., int]
    rotation: Callable[..., int]
    box: Callable[..., int]
    close_letters: Callable[..., None]
    closes: Callable[..., None]
    close: Callable[..., None]


@cache
def _functions() -> _Functions:
    # Opening a page can take seconds: other threads go on meanwhile.
    return _Functions(
        bound("FPDF_LoadPage", returns=ADDRESS, kind=ctypes.CFUNCTYPE),
        bound("FORM_OnAfterLoadPage", returns=None, kind=ctypes.CFUNCTYPE),
        bound("FPDFText_LoadPage", returns=ADDRESS, kind=ctypes.CFUNCTYPE),
        bound("FPDFText_CountChars"),
        bound("FPDFText_GetText"),
        bound("FPDFPage_GetRotation"),
        bound("FPDF_GetPageBoundingBox"),
        bound("FPDFText_ClosePage", returns=None),
        bound("FORM_OnBeforeClosePage", returns=None),
        bound("FPDF_ClosePage", returns=None),
    )
