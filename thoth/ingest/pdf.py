"""PDF -> the text of its pages, with its outline as headings: PDFium first, pypdf for what PDFium refuses."""

from __future__ import annotations

import io
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from thoth.errors import DocumentError
from thoth.ingest import ocr, pdf_forms, pdf_groups
from thoth.ingest.document import Block, Document, Headings, Kind, OnPage, PageRead, ignore, with_short_leaders
from thoth.ingest.pdf_ends import LastPages, Second
from thoth.ingest.pdf_groups import Group
from thoth.ingest.pdf_text import Pages
from thoth.ingest.pdf_unread import Unread

log = logging.getLogger(__name__)

# PDFium is not thread-safe: one call at a time in the whole process.
_PDFIUM = threading.Lock()

_HEADER, _HEADER_WITHIN = b"%PDF-", 1024
# Some writers add a little after the end mark, or zeros up to the next block of a disk.
_END_MARK, _END_MARK_WITHIN = b"%%EOF", 4096

# Of a manual of a thousand pages; more are not written by people.
_MAX_BOOKMARKS = 20_000


@dataclass(frozen=True)
class _Bookmark:
    """An entry of the outline: level from 1, page from 0."""

    level: int
    title: str
    page: int


class _Encrypted(Exception):
    """The file asks for a password."""


def read(
    data: bytes, name: str, on_page: OnPage = ignore, *, recognize: bool = False, second: Second | None = None
) -> Document:
    """Read a PDF; pages that are only pictures are named in a warning.

    Args:
        data: the file.
        name: of the document.
        on_page: called with each page as soon as it is read.
        recognize: whether pages without text are read by OCR, where it is installed.
        second: where a second process comes from that reads the last pages of a long file meanwhile.

    Raises:
        DocumentError: The file is encrypted, cut short, or damaged, or a form that only Adobe's programs show.
    """
    has_end = _END_MARK in data.rstrip(b"\0 \t\r\n")[-_END_MARK_WITHIN:]
    start = data[:_HEADER_WITHIN].find(_HEADER)
    book = _Book(name, on_page, ocr.remedy(recognize))
    try:
        pages = _read_pdfium(data, book, recognize, second)
        if pages is None and start > 0:  # places in the file are counted from the header, or from the begin
            pages = _read_pdfium(data[start:], book, recognize, second)
        if pages is None:
            pages = _read_pypdf(data, book)
    except _Encrypted as error:
        raise DocumentError(
            f"{name} is encrypted: open it with its password, save a copy without one, and use the copy"
        ) from error
    if not pages:
        if not has_end:
            raise DocumentError(f"{name} is cut short, its end is missing: download or copy it again")
        raise DocumentError(f"{name} is damaged and cannot be read as PDF: download it or export it again")
    if any(book.texts):
        book.unread.warn(name)
        if not has_end:
            log.warning("%s has no end mark: if text is missing, download or copy it again", name)
    return Document(name, "\n\n".join(book.texts), pages, tuple(book.blocks))


class _Book:
    """What is read so far: texts and blocks of the pages, handed on one by one."""

    def __init__(self, name: str, on_page: OnPage, remedy: str) -> None:
        self.name = name
        self.texts: list[str] = []
        self.blocks: list[Block] = []
        self.unread = Unread(remedy)
        self._on_page = on_page
        self._headings = Headings()
        self._at = 0

    def add(self, groups: Sequence[Group], total: int, bookmarks: Sequence[_Bookmark] = ()) -> None:
        """Add the next page; a bookmark begins a section where its title stands."""
        text, spans, number = "", [], len(self.texts) + 1
        for group in groups:
            if text:
                text += "\n\n" if group.apart else "\n"
            said = with_short_leaders(group.kind, group.text)
            spans.append((group.kind, len(text), len(text) + len(said)))
            text += said
        blocks = [
            Block(kind, self._at + start, self._at + end, headings, number)
            for kind, start, end, headings in _sections(text, spans, bookmarks, self._headings)
        ]
        self.texts.append(text)
        self.blocks += blocks
        self._at += len(text) + 2
        self._on_page(PageRead(number, total, text, tuple(blocks)))


def _read_pdfium(data: bytes, book: _Book, recognize: bool, second: Second | None = None) -> int | None:
    """Read all pages; returns their number, None where PDFium gives up."""
    import pypdfium2

    with _PDFIUM:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError:
            return None
        try:
            pages = Pages(document, recognize)
            total = len(pages)
            if pages.form.is_placeholder:
                return _read_xfa(pages.form, book)
            bookmarks: dict[int, list[_Bookmark]] = {}
            for bookmark in _outline(document):
                bookmarks.setdefault(bookmark.page, []).append(bookmark)
            book.unread.attached = list(pdf_forms.attachments(document))
            last = LastPages(second, data, recognize, total)
            try:
                for number in range(total):
                    page = last.take(number)
                    if page is None or ("unsure" in page.marks and book.unread.is_cyrillic):
                        page = pages.read(number, book.unread.is_cyrillic)
                    book.unread.note(number, page.marks)
                    book.add(page.groups, total, bookmarks.get(number, ()))
            finally:
                last.close()
            return total
        finally:
            document.close()


def _read_xfa(form: pdf_forms.Form, book: _Book) -> int:
    """Read the values of a form whose one page only says that another program is needed."""
    values = form.xfa_values()
    if not values:
        raise DocumentError(
            f"{book.name} is an XFA form, which only Adobe Acrobat shows: open it there, print it to PDF, and use that"
        )
    log.warning("%s is an XFA form: what was filled in was read, its printed text was not", book.name)
    book.add([Group("list", "\n".join(values))], 1)
    return 1


def _outline(document: Any) -> Iterator[_Bookmark]:
    for bookmark in islice(document.get_toc(), _MAX_BOOKMARKS):
        target = bookmark.get_dest()
        page = None if target is None else target.get_index()
        title = " ".join(pdf_groups.clean(bookmark.get_title()).split())
        if page is not None and page >= 0 and title:
            yield _Bookmark(bookmark.level + 1, title, page)


def _read_pypdf(data: bytes, book: _Book) -> int | None:
    """Read all pages; returns their number, None where pypdf gives up as well.

    A file that opens with an empty password is first written without one, and then read as any other.
    """
    from pypdf import PasswordType, PdfReader, PdfWriter

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it reports each repair on stderr
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted:
            if reader.decrypt("") == PasswordType.NOT_DECRYPTED:
                raise _Encrypted
            opened = io.BytesIO()
            PdfWriter(clone_from=reader).write(opened)
            if (pages := _read_pdfium(opened.getvalue(), book, False)) is not None:
                return pages
        texts = [page.extract_text() for page in reader.pages]
    except (_Encrypted, DocumentError, MemoryError):
        raise
    # A damaged file can fail anywhere in pypdf (KeyError, RecursionError, its own errors): all mean the same.
    except Exception as error:
        if "cryptography" in str(error):  # AES needs a package that pypdf does not require
            raise _Encrypted from error
        return None
    for number, text in enumerate(texts):
        found = list(pdf_groups.plain(text.split("\n")))
        if not found:
            book.unread.note(number, ("scan",))
        book.add(found, len(texts))
    return len(texts)


_Span = tuple[Kind, int, int]


def _sections(
    text: str, spans: Sequence[_Span], bookmarks: Sequence[_Bookmark], headings: Headings
) -> Iterator[tuple[Kind, int, int, tuple[str, ...]]]:
    """Yield (kind, start, end, headings) for the blocks of one page."""
    at = 0
    for bookmark in bookmarks:
        title = r"\s+".join(re.escape(word) for word in bookmark.title.split())
        found = re.compile(rf"^(?:[\w.]{{1,9}}[ \t]+)?{title}", re.MULTILINE | re.IGNORECASE).search(text, at)
        begins = found.start() if found else at
        yield from _between(text, spans, at, begins, headings.path)
        headings.enter(bookmark.level, bookmark.title)
        at = begins
        if found and text[found.end() : found.end() + 1] in ("", "\n"):
            at = found.end()
            yield "heading", begins, at, headings.path
    yield from _between(text, spans, at, len(text), headings.path)


def _between(
    text: str, spans: Sequence[_Span], start: int, end: int, headings: tuple[str, ...]
) -> Iterator[tuple[Kind, int, int, tuple[str, ...]]]:
    """Yield what lies between two places of a page."""
    for kind, first, last in spans:
        if last <= start:
            continue
        if first >= end:
            return
        first, last = max(first, start), min(last, end)
        inner = text[first:last]
        if inner.strip():
            yield kind, last - len(inner.lstrip()), first + len(inner.rstrip()), headings
