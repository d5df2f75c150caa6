"""PDF -> the text of its pages: PDFium first, pypdf for what PDFium refuses."""

import io
import logging
import re
import threading
from itertools import pairwise

from thoth.errors import DocumentError

# PDFium is not thread-safe: one call at a time in the whole process.
_PDFIUM = threading.Lock()

# PDFium marks a word broken at the line's end with one of these instead of the hyphen; join the word.
_BROKEN_WORD = re.compile("[\x02\ufffe](?:\r?\n)?")

# Some writers add a little after the end mark, so look for it in more than the last line.
_END_MARK, _END_MARK_WITHIN = b"%%EOF", 4096

# Letters differ in width, so a full line may have fewer of them than the page's longest.
_FULL_LINE = 0.85


class _Encrypted(Exception):
    """The file asks for a password."""


def pages(data: bytes, name: str) -> list[str]:
    """Return the text of each page; a page without text is an empty string.

    Raises:
        DocumentError: The file is encrypted, cut short, or damaged.
    """
    # Both readers repair what is there and would silently read half of a cut-off file.
    if _END_MARK not in data[-_END_MARK_WITHIN:]:
        raise DocumentError(f"{name} is cut short, its end is missing: download or copy it again")
    try:
        texts = _read_pdfium(data)
        if texts is None:
            texts = _read_pypdf(data)
    except _Encrypted as error:
        raise DocumentError(
            f"{name} is encrypted: open it with its password, save a copy without one, and use the copy"
        ) from error
    if not texts:
        raise DocumentError(f"{name} is damaged and cannot be read as PDF: download it or export it again")
    return [_tidy(text) for text in texts]


def _read_pdfium(data: bytes) -> list[str] | None:
    """Return the pages' text, or None where PDFium gives up."""
    import pypdfium2

    with _PDFIUM:
        try:
            with pypdfium2.PdfDocument(data) as document:
                return [page.get_textpage().get_text_range() for page in document]
        except pypdfium2.PdfiumError:
            return None


def _read_pypdf(data: bytes) -> list[str] | None:
    """Return the pages' text, or None where pypdf gives up as well."""
    from pypdf import PasswordType, PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it reports each repair on stderr
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
            raise _Encrypted
        return [page.extract_text() for page in reader.pages]
    except _Encrypted:
        raise
    # A damaged file can fail anywhere in pypdf (KeyError, RecursionError, its own errors): all mean the same.
    except Exception as error:
        if "cryptography" in str(error):  # AES needs a package that pypdf does not require
            raise _Encrypted from error
        return None


def _tidy(text: str) -> str:
    valid = text.encode(errors="ignore").decode()  # broken fonts yield lone surrogates
    return _unwrap(_BROKEN_WORD.sub("", valid).replace("\r\n", "\n").strip())


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
