"""PDF -> the text of its pages, with its outline as headings: PDFium first, pypdf for what PDFium refuses."""

from __future__ import annotations

import io
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from thoth.errors import DocumentError
from thoth.ingest.document import Block, Document, Headings
from thoth.ingest.prose import kind_of

log = logging.getLogger(__name__)

# PDFium is not thread-safe: one call at a time in the whole process.
_PDFIUM = threading.Lock()

# PDFium marks a word broken at the line's end with one of these instead of the hyphen; join the word.
_BROKEN_WORD = re.compile("[\x02\ufffe](?:\r?\n)?")

# Lines without an empty one between them; possessive, so that blanks are not tried again and again.
_LINES = re.compile(r"(?<![^\S\n])(?:[^\S\n]*+\S[^\n]*+\n?)+")

# Some writers add a little after the end mark, so look for it in more than the last line.
_END_MARK, _END_MARK_WITHIN = b"%%EOF", 4096

# Letters differ in width, so a full line may have fewer of them than the page's longest.
_FULL_LINE = 0.85

# Of a manual of a thousand pages; more are not written by people.
_MAX_BOOKMARKS = 20_000


@dataclass(frozen=True)
class _Bookmark:
    """An entry of the outline: level from 1, page from 0."""

    level: int
    title: str
    page: int


@dataclass(frozen=True)
class _Contents:
    """What a reader finds: text by page, pages (from 0) that show something without text, and the outline."""

    texts: list[str]
    scans: list[int]
    outline: list[_Bookmark]


class _Encrypted(Exception):
    """The file asks for a password."""


def read(data: bytes, name: str) -> Document:
    """Read a PDF; pages that are only pictures are named in a warning.

    Raises:
        DocumentError: The file is encrypted, cut short, or damaged.
    """
    # Both readers repair what is there and would silently read half of a cut-off file.
    if _END_MARK not in data[-_END_MARK_WITHIN:]:
        raise DocumentError(f"{name} is cut short, its end is missing: download or copy it again")
    try:
        contents = _read_pdfium(data) or _read_pypdf(data)
    except _Encrypted as error:
        raise DocumentError(
            f"{name} is encrypted: open it with its password, save a copy without one, and use the copy"
        ) from error
    if contents is None or not contents.texts:
        raise DocumentError(f"{name} is damaged and cannot be read as PDF: download it or export it again")
    pages = [_tidy(text) for text in contents.texts]
    if contents.scans and any(pages):
        log.warning("%s: no text on %s: run text recognition (OCR) to have them read", name, _listed(contents.scans))
    return Document(name, "\n\n".join(pages), len(pages), tuple(_blocks(pages, contents.outline)))


def _read_pdfium(data: bytes) -> _Contents | None:
    """Return the contents, or None where PDFium gives up."""
    import pypdfium2

    texts, scans = [], []
    with _PDFIUM:
        try:
            with pypdfium2.PdfDocument(data) as document:
                for page in document:
                    texts.append(page.get_textpage().get_text_range())
                    if not texts[-1].strip() and next(page.get_objects(max_depth=1), None) is not None:
                        scans.append(len(texts) - 1)
                    page.close()  # else all pages stay in memory until the document is closed
                return _Contents(texts, scans, list(_outline(document)))
        except pypdfium2.PdfiumError:
            return None


def _outline(document: Any) -> Iterator[_Bookmark]:
    for bookmark in islice(document.get_toc(), _MAX_BOOKMARKS):
        target = bookmark.get_dest()
        page = None if target is None else target.get_index()
        title = " ".join(_valid(bookmark.get_title()).split())
        if page is not None and page >= 0 and title:
            yield _Bookmark(bookmark.level + 1, title, page)


def _read_pypdf(data: bytes) -> _Contents | None:
    """Return the contents without an outline, or None where pypdf gives up as well."""
    from pypdf import PasswordType, PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it reports each repair on stderr
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
            raise _Encrypted
        texts = [page.extract_text() for page in reader.pages]
    except _Encrypted:
        raise
    # A damaged file can fail anywhere in pypdf (KeyError, RecursionError, its own errors): all mean the same.
    except Exception as error:
        if "cryptography" in str(error):  # AES needs a package that pypdf does not require
            raise _Encrypted from error
        return None
    return _Contents(texts, [page for page, text in enumerate(texts) if not text.strip()], [])


def _blocks(pages: Sequence[str], outline: Sequence[_Bookmark]) -> Iterator[Block]:
    """Yield the blocks of each page in turn; a bookmark begins a section where its title stands."""
    headings, offset = Headings(), 0
    by_page: dict[int, list[_Bookmark]] = {}
    for bookmark in outline:
        by_page.setdefault(bookmark.page, []).append(bookmark)
    for number, text in enumerate(pages):
        at = 0
        for bookmark in by_page.get(number, ()):
            title = r"\s+".join(re.escape(word) for word in bookmark.title.split())
            found = re.compile(rf"^(?:[\w.]{{1,9}}[ \t]+)?{title}", re.MULTILINE | re.IGNORECASE).search(text, at)
            begins = found.start() if found else at
            yield from _paragraphs(text, at, begins, offset, headings.path, number + 1)
            headings.enter(bookmark.level, bookmark.title)
            at = begins
            if found and text[found.end() : found.end() + 1] in ("", "\n"):
                at = found.end()
                yield Block("heading", offset + begins, offset + at, headings.path, number + 1)
        yield from _paragraphs(text, at, len(text), offset, headings.path, number + 1)
        offset += len(text) + 2


def _paragraphs(text: str, start: int, end: int, offset: int, headings: tuple[str, ...], page: int) -> Iterator[Block]:
    """Yield the blocks between two places of a page."""
    for found in _LINES.finditer(text, start, end):
        stop = found.start() + len(found[0].rstrip())
        yield Block(kind_of(found[0]), offset + found.start(), offset + stop, headings, page)


def _listed(pages: Sequence[int]) -> str:
    """Write page numbers, which count from 0 here, as people do: `pages 3, 5-9`."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and page == runs[-1][-1] + 1:
            runs[-1].append(page)
        else:
            runs.append([page])
    spans = [str(run[0] + 1) if len(run) == 1 else f"{run[0] + 1}-{run[-1] + 1}" for run in runs]
    return f"page{'s' if len(pages) > 1 else ''} {', '.join(spans)}"


def _valid(text: str) -> str:
    return text.encode(errors="ignore").decode()  # broken fonts yield lone surrogates


def _tidy(text: str) -> str:
    return _unwrap(_BROKEN_WORD.sub("", _valid(text)).replace("\r\n", "\n").strip())


def _unwrap(text: str) -> str:
    """Join the lines of a sentence: a line that the next word would not have fitted on was broken by the layout."""
    lines = text.split("\n")
    width = _FULL_LINE * max(map(len, lines))
    parts = [lines[0]]
    for before, line in pairwise(lines):
        full = len(before) + 1 + len(line.split(" ", 1)[0]) > width
        continues = before and line and before[-1] not in ".!?:;" and line[0] not in "-*\u2022"
        parts += [" " if full and continues else "\n", line]
    return "".join(parts)
