"""Bytes -> text, or an error for bytes that are no text."""

import codecs
import re

from thoth.errors import UnknownFormatError

# Everything below the space that text files do not use; form feed and escape do occur in them.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")

# In Western European text about one letter in twenty is accented; in random bytes every second one is "high".
_MAX_HIGH_SHARE = 0.3


def decode(data: bytes, name: str, charset: str | None = None) -> str:
    r"""Decode UTF-8, UTF-16 with a byte order mark, `charset` or, where it is plausible, cp1252.

    Line ends become `\n`; nothing else is changed.

    Args:
        data: the file.
        name: of the document, for the error.
        charset: what the file or its server says; a byte order mark knows better.

    Raises:
        UnknownFormatError: The bytes are not text.
    """
    text = _declared(data, charset)
    if text is None:
        text = _decoded(data)
    if text is None or _CONTROL.search(text):
        raise UnknownFormatError(
            f"{name} is neither text nor PDF, HTML, Word (.docx) or EPUB, which are what Thoth reads: convert it first"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _declared(data: bytes, charset: str | None) -> str | None:
    marked = data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if charset is None or marked:
        return None
    try:
        text = data.decode(charset)
        text.encode()  # some encodings let half of a character pair through
    except (LookupError, ValueError):
        return None
    return text


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
