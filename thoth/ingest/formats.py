"""Bytes -> document: which format it is, decided by the bytes first, then by what the server or the name says."""

from __future__ import annotations

import re
from pathlib import PurePath

from thoth.errors import DocumentError, NoTextError, UnknownFormatError
from thoth.ingest import html, pdf, prose, text
from thoth.ingest.document import Document

# A text of 32 MB has eight million tokens; there is no reading it in chunks of a few hundred.
MAX_TEXT_BYTES = 32 << 20
# Pictures and fonts make these formats large; the text in them has the limit above.
MAX_FILE_BYTES = 512 << 20

_PDF, _ZIP, _OLE = b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
SIGNATURE_WITHIN = 1024
_ENCRYPTED_OFFICE = "EncryptedPackage".encode("utf-16-le")

_HTML_SUFFIXES = {".html", ".htm", ".xhtml", ".xht"}
_HTML_TYPES = {"text/html", "application/xhtml+xml"}
_HTML_START = re.compile(rb"(?:\s|<!--.*?-->|<\?[^>]*>)*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL)


def read(data: bytes, name: str, media_type: str | None = None, charset: str | None = None) -> Document:
    """Read a file of any format.

    Args:
        data: the file.
        name: of the document, safe to show; its suffix counts where the bytes leave it open.
        media_type: what a server says the file is, `text/html` for example.
        charset: what a server says its encoding is.

    Raises:
        DocumentError: The file is damaged, encrypted, too large, or of a kind that Thoth does not read.
        NoTextError: The file was read and holds no text.
    """
    remedy = "choose a document with text"
    if _is_pdf(data, name):
        document = pdf.read(data, name)
        remedy = "it is probably a scan; run text recognition (OCR) on it first"
    elif data.startswith(_ZIP):
        document = _read_zip(data, name)
    elif data.startswith(_OLE):
        if _ENCRYPTED_OFFICE in data:
            raise DocumentError(f"{name} is encrypted: open it, save a copy without a password, and use the copy")
        raise UnknownFormatError(f"{name} is in the old format of Office: save it as .docx")
    elif _is_html(data, name, media_type):
        document = html.read(data, name, charset)
    else:
        document = prose.read(text.decode(data, name, charset), name)
    if not document.text.strip():
        raise NoTextError(f"{name} has no text in it: {remedy}")
    if len(document.text) > MAX_TEXT_BYTES:
        raise too_large(name, MAX_TEXT_BYTES)
    return document


def limit(head: bytes) -> int:
    """Return how many bytes a file may have that begins with `head`."""
    binary = head.startswith((_ZIP, _OLE)) or _PDF in head[:SIGNATURE_WITHIN]
    return MAX_FILE_BYTES if binary else MAX_TEXT_BYTES


def too_large(name: str, most: int) -> DocumentError:
    """Return the error for a file, or a text in a file, above a limit."""
    what = "text" if most == MAX_TEXT_BYTES else "a file"
    return DocumentError(f"{name} has more than {most >> 20} MB, the most Thoth reads as {what}: split it")


def _is_pdf(data: bytes, name: str) -> bool:
    # PDF readers accept other bytes before the signature; a text that quotes it must stay a text.
    named_so = PurePath(name).suffix.lower() == ".pdf"
    return data[:SIGNATURE_WITHIN].lstrip().startswith(_PDF) or (named_so and _PDF in data[:SIGNATURE_WITHIN])


def _is_html(data: bytes, name: str, media_type: str | None) -> bool:
    suffix = PurePath(name).suffix.lower()
    if media_type in _HTML_TYPES or suffix in _HTML_SUFFIXES:
        return True
    if media_type in (None, "application/octet-stream") and suffix not in prose.SUFFIXES:
        head = data[:SIGNATURE_WITHIN].replace(b"\0", b"").removeprefix(b"\xef\xbb\xbf")
        return bool(_HTML_START.match(head.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")))
    return False


def _read_zip(data: bytes, name: str) -> Document:
    from thoth.ingest import docx, epub
    from thoth.ingest.package import Package

    with Package(data, name) as package:
        is_epub = "META-INF/container.xml" in package
        is_docx = not is_epub and docx.is_docx(package)
    if is_epub:
        return epub.read(data, name)
    if is_docx:
        return docx.read(data, name)
    raise UnknownFormatError(f"{name} is an archive that is neither Word (.docx) nor EPUB: unpack or convert it first")
