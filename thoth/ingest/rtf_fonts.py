"""The fonts of an RTF file: which letters the bytes and the signs of each stand for."""

from __future__ import annotations

import re

from thoth.ingest import symbols

# Character sets of fonts -> codecs; 2 is that of symbols.
_CHARSETS = {0: "cp1252", 77: "mac-roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5", 161: "cp1253",
             162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
             238: "cp1250"}  # fmt: skip
_DOCUMENTS = {"mac": "mac-roman", "pc": "cp437", "pca": "cp850"}
_PAGES = {10000: "mac-roman", 10001: "cp932", 65001: "utf-8", 54936: "gb18030", 936: "gb18030"}
_OTHER_ALPHABETS = {"cp1251", "cp1253"}  # of these, a font of the character set 0 has the Latin letters
_FOREIGN_WORD = re.compile(rb"[\xc0-\xff]{3}")


class Fonts:
    """The codec of the document, and the fonts in its table, each with a codec and a name."""

    def __init__(self) -> None:
        self._codec = "cp1252"
        self._fonts: dict[int, tuple[str, str]] = {}  # number -> codec, name
        self._entry = -1  # number of the font that the table is at

    def choose(self, word: str, number: int | None) -> None:
        """Take the codec of the document from `ansicpg`, `mac`, `pc` or `pca`."""
        self._codec = _DOCUMENTS.get(word) or _codec(number or 1252)

    def define(self, word: str, number: int | None) -> None:
        """Read a control word of the table of fonts."""
        if word == "f":
            self._entry = number or 0
            self._fonts[self._entry] = (self._codec, "")
            return
        if self._entry not in self._fonts:
            return
        codec, name = self._fonts[self._entry]
        if word == "fcharset" and number:
            codec = _CHARSETS.get(number, self._codec)
        elif word == "fcharset":
            codec = "cp1252" if self._codec in _OTHER_ALPHABETS else self._codec
        elif word == "cpg":
            codec = _codec(number or 1252)
        self._fonts[self._entry] = (codec, name)

    def name(self, data: bytes) -> None:
        """Read a part of the name of a font in the table."""
        codec, name = self._fonts.get(self._entry, (self._codec, ""))
        self._fonts[self._entry] = (codec, (name + data.decode("latin-1")).rstrip(";"))

    def decoded(self, data: bytes, font: int) -> str:
        """Return the letters that bytes stand for in a font."""
        codec = self._fonts.get(font, (self._codec, ""))[0]
        if codec == "cp1252" and self._codec in _OTHER_ALPHABETS and _FOREIGN_WORD.search(data):
            # Some programs give each font the character set 0; no Western word has so many accents in a row.
            codec = self._codec
            self._fonts[font] = (codec, self._fonts[font][1])
        return data.decode(codec, "replace")

    def shown(self, text: str, font: int) -> str:
        """Return what a font shows for a text: symbol fonts have pictures in the places of letters."""
        name = self._fonts.get(font, ("", ""))[1]
        return symbols.translated(text, name) if symbols.is_symbol_font(name) else text


def _codec(page: int) -> str:
    """Return the codec of a code page, cp1252 for one that Python does not know."""
    name = _PAGES.get(page, f"cp{page}")
    try:
        "".encode(name)
    except LookupError:
        return "cp1252"
    return name
