"""Plain text and Markdown: bytes -> text, or an error for bytes that are no text."""

import codecs
import re

from thoth.errors import DocumentError

# Everything below the space that text files do not use; form feed and escape do occur in them.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")

# In Western European text about one letter in twenty is accented; in random bytes every second one is "high".
_MAX_HIGH_SHARE = 0.3


def decode(data: bytes, name: str) -> str:
    r"""Decode UTF-8, UTF-16 with a byte order mark or, where it is plausible, cp1252.

    Line ends become `\n`; nothing else is changed.

    Raises:
        DocumentError: The bytes are not text.
    """
    text = _decoded(data)
    if text is None or _CONTROL.search(text):
        raise DocumentError(
            f"{name} is neither text nor PDF: Thoth reads plain text, Markdown and PDF, so convert it first"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes) -> str | None:
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        pass
    high = sum(byte >= 0x80 for byte in data)
    if utf16 or high > _MAX_HIGH_SHARE * len(data):
        return None
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return None
