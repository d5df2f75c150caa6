r"""Bytes -> text, or an error for bytes that are no text.

The order: byte order mark, the label that the file or its server gives, UTF-16 without a mark, UTF-8 with a few bad
bytes, a guess. A bad byte becomes U+FFFD and a warning counts them; a guess is named in a warning.
"""

from __future__ import annotations

import codecs
import logging
import re

from thoth.errors import UnknownFormatError
from thoth.ingest import charsets

log = logging.getLogger(__name__)

BAD = "\ufffd"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Everything below the space that text files do not use; form feed and escape do occur in them.
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_OTHER_CONTROL = re.compile(r"[\x01-\x07\x0e-\x19\x1c-\x1f\x7f]")
# A picture written into the text: `data:image/png;base64,...`, its lines wrapped or not.
_DATA_ADDRESS = re.compile(
    r"data:[a-z]+/[\w.+-]+(?:;[\w=.+-]+)*+,(?:(?<=base64,)[A-Za-z0-9+/=_%-]{8,}+(?:\s*\n[ \t]*[A-Za-z0-9+/=]{20,}+)*+"
    r"|(?<!base64,)[^\s\"'<>()]{8,}+)",
    re.IGNORECASE,
)
_MOST_ZEROS, _MOST_CONTROLS, _MOST_BAD = 0.1, 0.05, 0.1


def decode(data: bytes, name: str, charset: str | None = None, *, is_markup: bool = False) -> str:
    r"""Decode a text.

    Line ends become `\n`; control characters are dropped, a backspace with the letter before it.

    Args:
        data: the file.
        name: of the document, for errors and warnings.
        charset: what the file or its server says; a byte order mark knows better.
        is_markup: the charset was found by reading `data` as ASCII, so it cannot be UTF-16.

    Raises:
        UnknownFormatError: The bytes are not text.
    """
    text, warning = _decoded(data, charsets.codec(charset), is_markup)
    if text is None or _is_binary(text):
        if text is None and warning:
            raise UnknownFormatError(f"{name} is in an encoding that Thoth cannot tell: save it as UTF-8")
        raise UnknownFormatError(
            f"{name} is neither text nor PDF, Word, EPUB, HTML or another kind that Thoth reads: "
            "save it as text or PDF, and use that"
        )
    if warning:
        log.warning("%s: %s", name, warning)
    return clean(text)


def clean(text: str) -> str:
    r"""Return a text with `\n` as its line end and without control characters, all but form feed and escape."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n").removeprefix("\ufeff")
    if "\b" in text:
        text = _backspaced(text)
    if "\v" in text:  # a line break within a paragraph, for the programs that write it
        text = re.sub(r"\v(?=\s)|(?<=\s)\v", "", text).replace("\v", "\n")
    if "data:" in text:
        text = _DATA_ADDRESS.sub("", text)
    if _CONTROL.search(text):
        text = re.sub("[\x1c-\x1f]", " ", text)
        text = _CONTROL.sub("", text)
    return text


def plausible(text: str) -> bool:
    """Tell whether what was decoded is a text: few bad bytes in it."""
    return text.count(BAD) <= _MOST_BAD * len(text)


def _decoded(data: bytes, label: str | None, is_markup: bool) -> tuple[str | None, str]:
    """Return the text and a warning; no text with a warning: letters in an unknown encoding."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            marked = data[len(mark) :].decode(name, "replace")
            return (marked, _counted(marked.count(BAD))) if plausible(marked) else (None, "")
    if b"\x1b" in data and data.isascii() and (text := charsets.japanese_mail(data)) is not None:
        return text, ""
    wide = charsets.utf16_without_mark(data)
    if is_markup and label and label.startswith(("utf-16", "utf-32")):
        label = None  # it was read as ASCII, so it is not true
    if label and not (wide and label in ("utf-8", "windows-1252")):
        named = _by_label(data, label)
        if named is not None:
            return named, _counted(named.count(BAD) - _meant(data))
    if wide:
        text = data[: len(data) & ~1].decode(wide, "replace")
        if plausible(text):
            return text, _counted(text.count(BAD))
    text = data.decode("utf-8", "replace")
    bad = text.count(BAD) - _meant(data)
    if _is_mostly_good(text, bad):
        return text, _counted(bad)
    guess = charsets.cjk_in_utf16(data)
    if guess is None:
        if _is_binary(text):
            return None, ""
        guess = charsets.guess(data)
    if guess is not None:
        said = "not in the encoding that it names" if label else "not UTF-8, and it names no encoding"
        return data.decode(guess, "replace"), (
            f"{said}; read as {_NAMES.get(guess, guess)}: if letters are wrong, save it as UTF-8"
        )
    return (text, _counted(bad)) if bad <= 0.01 * len(text) else (None, "unknown")


def _is_mostly_good(text: str, bad: int) -> bool:
    """Tell a text with a few bad bytes from one in another encoding."""
    # The bytes of a letter in UTF-8 hardly follow each other by chance: each letter speaks for it.
    good = len(text) - len(text.encode("ascii", "ignore")) - bad
    return not bad or good >= 2 * bad or (bad <= 2 and good >= bad)


# What people know them by; their programs offer these names when saving.
_NAMES = {f"cp125{number}": f"windows-125{number}" for number in range(9)} | {
    "cp932": "Shift_JIS", "cp949": "EUC-KR", "euc_jp": "EUC-JP", "gb18030": "GB 18030", "big5": "Big5",
    "koi8_r": "KOI8-R", "koi8_u": "KOI8-U", "iso8859_2": "ISO 8859-2", "iso8859_5": "ISO 8859-5",
    "cp874": "windows-874",
    "mac_roman": "Mac Roman", "mac_cyrillic": "Mac Cyrillic", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16",
}  # fmt: skip


def _by_label(data: bytes, label: str) -> str | None:
    """Decode by a label, None where it is clearly wrong."""
    if label == "windows-1252":
        try:
            # A server's default, which hides UTF-8: that such bytes are valid by chance does not happen.
            return data.decode("utf-8") if not data.isascii() else data.decode("ascii")
        except UnicodeDecodeError:
            return _windows_1252(data)
    try:
        text = data.decode(label, "replace")
    except (LookupError, ValueError):
        return None
    return text if _is_mostly_good(text, text.count(BAD) - _meant(data)) else None


def _windows_1252(data: bytes) -> str:
    """Decode as browsers do, for whom the five bytes without a letter are control characters."""
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return re.sub("[\x81\x8d\x8f\x90\x9d]", "", data.decode("latin-1")).encode("latin-1").decode("cp1252")


def _meant(data: bytes) -> int:
    """Count the U+FFFD that the file itself has."""
    return data.count(b"\xef\xbf\xbd")


def _counted(bad: int) -> str:
    if bad <= 0:
        return ""
    return f"{bad} bad byte{'s' if bad > 1 else ''} in its text, each read as \ufffd: export it again if that matters"


def _is_binary(text: str) -> bool:
    body = text.rstrip("\0\x1a")
    if not body:
        return bool(text.strip("\x1a"))
    return body.count("\0") > _MOST_ZEROS * len(body) or len(_OTHER_CONTROL.findall(body)) > _MOST_CONTROLS * len(body)


def _backspaced(text: str) -> str:
    """Do what a backspace does on a printer: a letter over itself is bold, one over `_` underlined."""
    out: list[str] = []
    for character in text:
        if character != "\b":
            out.append(character)
        elif out and out[-1] != "\n":
            out.pop()
    return "".join(out)
