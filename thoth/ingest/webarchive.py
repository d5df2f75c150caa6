"""Safari's web archives: the page in a property list, with the pictures and scripts that it loaded beside it."""

from __future__ import annotations

import plistlib
import struct
from xml.parsers.expat import ExpatError

from thoth.errors import DocumentError
from thoth.ingest import html
from thoth.ingest.document import Document

# What damaged property lists raise in Python's own reader.
_DAMAGED = (ValueError, OverflowError, RecursionError, IndexError, TypeError, AttributeError, struct.error, ExpatError)
_PAGES = ("text/html", "application/xhtml+xml")


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read the page of a web archive; frames and all else in it are left out.

    Args:
        data: the file.
        name: of the document.
        charset: not used: the archive says how its page is encoded.

    Raises:
        DocumentError: It is damaged, or what was saved is no page.
    """
    try:
        archive = plistlib.loads(data)
    except _DAMAGED as error:
        raise DocumentError(f"{name} is a damaged web archive: save the page again") from error
    page = archive.get("WebMainResource") if isinstance(archive, dict) else None
    content = page.get("WebResourceData") if isinstance(page, dict) else None
    if not isinstance(page, dict) or not isinstance(content, bytes):
        raise DocumentError(f"{name} is a web archive without a page: save the page again")
    kind, encoding = page.get("WebResourceMIMEType"), page.get("WebResourceTextEncodingName")
    if isinstance(kind, str) and kind.lower() not in _PAGES:
        raise DocumentError(f"{name} is a web archive of no page ({kind[:40]}): save what it shows as a file")
    return html.read(content, name, encoding if isinstance(encoding, str) else None)
