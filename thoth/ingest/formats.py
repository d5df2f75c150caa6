"""Bytes -> document: which format it is, decided by the bytes first, then by what the server or the name says."""

from __future__ import annotations

import logging
import re
import string
from collections.abc import Callable
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING

from thoth.errors import DocumentError, NoTextError, UnknownFormatError
from thoth.ingest import charsets, man, ocr, opml, refusals, text, text_blocks
from thoth.ingest.document import Document, OnPage, ignore

if TYPE_CHECKING:
    from thoth.ingest.pdf_ends import Second

log = logging.getLogger(__name__)

# A text of 32 MB has eight million tokens; there is no reading it in chunks of a few hundred.
MAX_TEXT_BYTES = 32 << 20
# Pictures and fonts make these formats large; the text in them has the limit above.
MAX_FILE_BYTES = 512 << 20
# Text files that hold pictures as text: RTF, mail, notebooks. They are several times as large in memory.
MAX_MIXED_BYTES = 128 << 20

# Blanks, and marks that show nothing.
_NO_TEXT = string.whitespace + "\x85\xa0\u3000\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\ufeff\ufffc"

_PDF, _ZIP, _RTF, _PLIST = b"%PDF-", b"PK\x03\x04", b"{\\rtf", b"bplist00"
SIGNATURE_WITHIN = 1024

_HTML_SUFFIXES = {".html", ".htm", ".xhtml", ".xht", ".shtml"}
_HTML_TYPES = {"text/html", "application/xhtml+xml"}
_HTML_START = re.compile(rb"<(?:!doctype\s+html|html[\s>])", re.IGNORECASE)
_HTML_END = re.compile(rb"</html\s*>(?:\s|<!--.{0,400}?-->)*\Z", re.IGNORECASE | re.DOTALL)
_PAGE_SUFFIXES = {".txt", ".text", ".php"}
_MAIL_START = re.compile(rb"(?:[A-Za-z][A-Za-z0-9-]{1,40}:[^\n]*\n(?:[ \t][^\n]*\n)*){2}")
_MAIL_HEADER = re.compile(
    rb"^(?:received|return-path|mime-version|message-id|delivered-to):", re.IGNORECASE | re.MULTILINE
)

# Suffix -> module with `read(data, name, charset)`; what a server says stands in for the suffix.
_READERS = {
    ".eml": "mail", ".emlx": "mail", ".mht": "mail", ".mhtml": "mail", ".mbox": "mail",
    ".ipynb": "notebook", ".srt": "subtitles", ".vtt": "subtitles", ".ass": "subtitles", ".ssa": "subtitles",
    ".sbv": "subtitles", ".lrc": "subtitles", ".ttml": "subtitles", ".dfxp": "subtitles",
    ".tex": "latex", ".latex": "latex", ".ltx": "latex",
    ".org": "org", ".csv": "delimited", ".tsv": "delimited", ".tab": "delimited",
    ".json": "json_text", ".jsonl": "json_text", ".ndjson": "json_text", ".geojson": "json_text", ".log": "logs",
    ".ics": "cards", ".ical": "cards", ".vcf": "cards", ".vcard": "cards",
    ".opml": "opml", ".fodt": "odf", ".fods": "odf", ".fodp": "odf", ".svg": "html", ".webarchive": "webarchive",
}  # fmt: skip
_TYPES = {
    "message/rfc822": ".eml", "multipart/related": ".mht", "application/x-mimearchive": ".mht",
    "application/mbox": ".mbox",
    "application/x-ipynb+json": ".ipynb", "application/x-subrip": ".srt", "text/vtt": ".vtt", "text/x-tex": ".tex",
    "application/x-tex": ".tex", "application/x-latex": ".tex", "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/calendar": ".ics", "text/vcard": ".vcf", "text/x-vcard": ".vcf", "text/x-opml": ".opml",
    "application/json": ".json", "application/x-ndjson": ".jsonl", "application/geo+json": ".json",
    "text/markdown": ".md", "application/x-webarchive": ".webarchive",
}  # fmt: skip


def read(
    data: bytes,
    name: str,
    media_type: str | None = None,
    charset: str | None = None,
    *,
    on_page: OnPage = ignore,
    recognize: bool = False,
    second: Second | None = None,
) -> Document:
    """Read a file of any format.

    Args:
        data: the file.
        name: of the document, safe to show; its suffix counts where the bytes leave it open.
        media_type: what a server says the file is, `text/html` for example.
        charset: what a server says its encoding is.
        on_page: called with each page as soon as it is read, for formats with pages.
        recognize: whether pages that are pictures are read by text recognition (OCR).
        second: where a second process comes from that helps with a long PDF.

    Raises:
        DocumentError: The file is damaged, encrypted, too large, or of a kind that Thoth does not read.
        NoTextError: The file was read and holds no text.
    """
    what, remedy = "", "choose a document with text"
    try:
        if _is_pdf(data, name):
            document = _reader("pdf")(data, name, on_page, recognize=recognize, second=second)
            remedy = f"it is probably a scan; {ocr.remedy(recognize)}"
        elif data.startswith(_ZIP):
            document, what = _read_zip(data, name)
        elif data.startswith(_RTF) or data[:64].lstrip().startswith(_RTF):
            document = _reader("rtf")(data, name)
        elif refusal := refusals.by_bytes(data, name):
            raise refusal
        else:
            document = _read_text(data, name, media_type, charset)
            if media_type in _HTML_TYPES:  # scripts may write it
                remedy = "if a browser shows some, print it to PDF there and use that"
    except UnknownFormatError as error:
        if says_text(name):  # among other files too, it is missed
            raise DocumentError(str(error)) from error
        raise
    if not document.text.strip(_NO_TEXT):
        raise NoTextError(f"{name} {f'is {what} and ' if what else ''}has no text in it: {remedy}")
    if len(document.text) > MAX_TEXT_BYTES:
        raise too_large(name, MAX_TEXT_BYTES)
    return document


def says_text(name: str) -> bool:
    """Tell whether a file's name promises a text, so that leaving it out without a word would be wrong."""
    suffix = PurePath(name).suffix.lower()
    return suffix in text_blocks.SUFFIXES or suffix in _HTML_SUFFIXES or suffix in _READERS or suffix == ".rtf"


def limit(head: bytes) -> int:
    """Return how many bytes a file may have that begins with `head`."""
    if head.startswith((_ZIP, refusals.OLE)) or _PDF in head[:SIGNATURE_WITHIN]:
        return MAX_FILE_BYTES
    is_mixed = head[:64].lstrip().startswith(_RTF) or _is_mail(head) or b'"cells"' in head or b'"nbformat"' in head
    return MAX_MIXED_BYTES if is_mixed or head.startswith(_PLIST) else MAX_TEXT_BYTES


def too_large(name: str, most: int) -> DocumentError:
    """Return the error for a file, or a text in a file, above a limit."""
    what = "text" if most == MAX_TEXT_BYTES else "a file"
    return DocumentError(f"{name} has more than {most >> 20} MB, the most Thoth reads as {what}: split it")


def _reader(module: str) -> Callable[..., Document]:
    """Return a format's reader; its module is imported only when there is such a file."""
    found: Callable[..., Document] = import_module(f"thoth.ingest.{module}").read
    return found


def _is_pdf(data: bytes, name: str) -> bool:
    # PDF readers accept other bytes before the signature; a text that quotes it must stay a text.
    named_so = PurePath(name).suffix.lower() == ".pdf"
    return data[:SIGNATURE_WITHIN].lstrip().startswith(_PDF) or (named_so and _PDF in data[:SIGNATURE_WITHIN])


def _is_html(data: bytes, suffix: str, media_type: str | None) -> bool:
    if media_type in _HTML_TYPES or suffix in _HTML_SUFFIXES:
        return True
    if media_type not in (None, "application/octet-stream", "application/pdf"):
        return False
    # A text may quote HTML and a program hold some; a page that was saved under their names is one to its end.
    if suffix in text_blocks.SUFFIXES and not (suffix in _PAGE_SUFFIXES and _HTML_END.search(data[-SIGNATURE_WITHIN:])):
        return False
    if suffix == ".php" and b"<?" in data:
        return False
    head = data[:SIGNATURE_WITHIN].replace(b"\0", b"").removeprefix(b"\xef\xbb\xbf")
    head = head.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").lstrip()
    while head.startswith((b"<!--", b"<?")):  # comments and instructions may come first
        mark = b"-->" if head.startswith(b"<!--") else b">"
        end = head.find(mark)
        if end < 0:
            return False
        head = head[end + len(mark) :].lstrip()
    return bool(_HTML_START.match(head))


def _is_mail(data: bytes) -> bool:
    head = data[:SIGNATURE_WITHIN].replace(b"\r\n", b"\n")
    if head.startswith(b"From ") and b"\n" in head:
        head = head.partition(b"\n")[2]
    return bool(_MAIL_START.match(head) and _MAIL_HEADER.search(head))


def _read_text(data: bytes, name: str, media_type: str | None, charset: str | None) -> Document:
    suffix = _TYPES.get(media_type or "", PurePath(name).suffix.lower())
    if suffix not in _READERS and _is_html(data, suffix, media_type):
        return _reader("html")(data, name, charset)
    if data.startswith(_PLIST) and b"WebMainResource" in data:
        suffix = ".webarchive"
    if suffix in _READERS:
        return _reader(_READERS[suffix])(data, name, charset)
    if suffix not in text_blocks.SUFFIXES or suffix == ".txt":
        if _is_mail(data):
            return _reader("mail")(data, name, charset)
        if data[:16].removeprefix(b"\xef\xbb\xbf").startswith(b"WEBVTT"):
            return _reader("subtitles")(data, name, charset)
    if suffix not in text_blocks.SUFFIXES and man.is_man(data):
        return man.read(data, name, charset)
    if suffix in ("", ".xml") and opml.is_opml(data):
        return opml.read(data, name, charset)
    if suffix == ".xls":  # what banks and shops export under this name
        return _reader("delimited")(data, name, charset)
    content = text.decode(data, name, charset or charsets.declared(data), is_markup=charset is None)
    return text_blocks.read(content, name)


def _read_zip(data: bytes, name: str) -> tuple[Document, str]:
    """Return the document, and what to call its kind."""
    from thoth.ingest import broken_zip, docx, epub, odf
    from thoth.ingest.package import Package

    is_cut = False
    try:
        package = Package(data, name)
    except DocumentError as error:
        if (found := broken_zip.repaired(data)) is None:
            raise
        package, data, is_cut, damaged = Package(found, name), found, True, error
    with package:
        members = set(package)
        rich = package.rich_text()
        is_epub = epub.is_epub(package)
        is_docx = not is_epub and docx.is_docx(package)
        kind = "" if is_epub or is_docx else odf.kind(package)
    if is_cut:
        if not (is_epub or is_docx or kind or members & {"xl/workbook.xml", "ppt/presentation.xml"}):
            raise damaged
        log.warning("%s is cut short or damaged: what can still be read was read; download or copy it again", name)
    if is_epub:
        return epub.read(data, name), "a book"
    if is_docx:
        return docx.read(data, name, read), ""
    if kind:
        return odf.read(data, name), kind
    if "xl/workbook.xml" in members:
        return _reader("xlsx")(data, name), "a spreadsheet"
    if any(member.startswith("ppt/") for member in members):
        return _reader("pptx")(data, name), "a presentation"
    if rich is not None:
        return read(rich[1], name if rich[0].endswith(".rtf") else f"{name}/{rich[0]}"), ""
    raise refusals.archive(members, name)
