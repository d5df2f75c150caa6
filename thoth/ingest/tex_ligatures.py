r"""The ligatures of TeX in a PDF whose fonts do not name their letters: `con\x1cgure` -> `con\ufb01gure`.

TeX numbers the letters of a font by its encoding. A bitmap font (Type 3), or one without names, leaves only those
numbers. Plain letters are numbered as in ASCII, ligatures where ASCII has control codes.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from typing import Any

# LaTeX 2e font encodings (encguide.pdf), tables of T1 and OT1: ff, fi, fl, ffi and ffl in both.
_T1 = {0x1B + place: ligature for place, ligature in enumerate("\ufb00\ufb01\ufb02\ufb03\ufb04")}
_OT1 = {0x0B + place: ligature for place, ligature in enumerate("\ufb00\ufb01\ufb02\ufb03\ufb04")}

_CODE = r"[\x0b\x0c\x0e\x0f\x1b-\x1f]|\r(?!\n)"
_IS_CODE = re.compile(_CODE)
_MAY_BE_CODE = re.compile(r"[\x0b\x0c\x0e\x0f\x1b-\x1f]")
_WORD = re.compile(rf"(?:[^\W\d_]|{_CODE})+")
# Fonts of formulas have Greek letters and signs at these codes, but write no words.
_LEAST_WORD = 4


def restored(text_page: Any, text: str) -> str:
    """Return the text of a page with Unicode ligatures instead of TeX's codes; it keeps its length.

    A code counts as a ligature in a word that one embedded font writes, if the font does not say what the code means.

    Args:
        text_page: PDFium's handle.
        text: of the page, as PDFium gives it.
    """
    if not _MAY_BE_CODE.search(text) and text.count("\r") == text.count("\r\n"):
        return text
    fonts = _Fonts(text_page)
    words = [(word, font) for word in _WORD.finditer(text) if (font := fonts.of_word(word)) is not None]
    of_text = {font for word, font in words if len(word[0]) >= _LEAST_WORD and _codes(word) <= 1}
    codes: dict[int, dict[int, int]] = {font: {} for font in of_text}  # by font: place -> code
    for word, font in words:
        if font in of_text and 0 < _codes(word) < len(word[0]):  # alone, a code is another sign
            codes[font] |= {at: ord(text[at]) for at in _places(word) if fonts.is_unknown(at)}
    letters = [*text]
    for found in codes.values():
        of_t1 = sum(code in _T1 for code in found.values())
        encoding = _T1 if 2 * of_t1 >= len(found) else _OT1  # a font has one encoding
        for at, code in found.items():
            letters[at] = encoding.get(code, letters[at])
    return "".join(letters)


def _codes(word: re.Match[str]) -> int:
    return len(_IS_CODE.findall(word[0]))


def _places(word: re.Match[str]) -> Iterator[int]:
    """Yield the places of codes in the text."""
    for code in _IS_CODE.finditer(word.string, word.start(), word.end()):
        yield code.start()


class _Fonts:
    """Asks PDFium for the fonts of letters by their places in the text."""

    def __init__(self, text_page: Any) -> None:
        import pypdfium2.raw as pdfium

        self._pdfium, self._page = pdfium, text_page

    def of_word(self, word: re.Match[str]) -> int | None:
        """Return the address of the embedded font that writes a word, None where there is none or more than one."""
        first, last = self._of(word.start()), self._of(word.end() - 1)
        if not first or not last or (address := _address(first)) != _address(last):
            return None
        return address if self._pdfium.FPDFFont_GetIsEmbedded(first) == 1 else None

    def is_unknown(self, place: int) -> bool:
        """Tell whether the font of a letter does not say what it means."""
        return bool(self._pdfium.FPDFText_HasUnicodeMapError(self._page, self._index(place)) == 1)

    def _of(self, place: int) -> Any:
        letters = self._pdfium.FPDFText_GetTextObject(self._page, self._index(place))
        return self._pdfium.FPDFTextObj_GetFont(letters) if letters else None

    def _index(self, place: int) -> int:
        return int(self._pdfium.FPDFText_GetCharIndexFromTextIndex(self._page, place))


def _address(font: Any) -> int | None:
    return ctypes.cast(font, ctypes.c_void_p).value
