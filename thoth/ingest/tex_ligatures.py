r"""Ligatures, quotes and dashes of TeX in a PDF whose fonts do not name them: `con\x1cgure` -> `con\ufb01gure`.

TeX numbers the letters of a font by its encoding. A bitmap font (Type 3), or one without names, leaves only those
numbers. Plain letters are numbered as in ASCII, ligatures, and in T1 quotes and dashes, where ASCII has control codes.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from typing import Any

from thoth.ingest.pdfium_calls import address

# LaTeX 2e font encodings (encguide.pdf), tables of T1 and OT1: ff, fi, fl, ffi and ffl in both.
_T1 = {0x1B + place: ligature for place, ligature in enumerate("\ufb00\ufb01\ufb02\ufb03\ufb04")}
_OT1 = {0x0B + place: ligature for place, ligature in enumerate("\ufb00\ufb01\ufb02\ufb03\ufb04")}
# T1 only, and T2A as well; OT1 has accents there, which stand within words.
_SIGNS = {0x0E: "\u2039", 0x0F: "\u203a", 0x10: "\u201c", 0x11: "\u201d", 0x12: "\u201e", 0x13: "\u00ab",
          0x14: "\u00bb", 0x15: "\u2013", 0x16: "\u2014"}  # fmt: skip

_CODE = r"[\x0b\x0c\x0e\x0f\x1b-\x1f]|\r(?!\n)"
_IS_CODE = re.compile(_CODE)
_MAY_BE_CODE = "\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x1b\x1c\x1d\x1e\x1f"
_IS_SIGN = re.compile(r"[\x0e-\x16]")
_ACCENT = re.compile(r"(?<=[^\W\d_])[\x10-\x16](?=[^\W\d_])")
_WORD = re.compile(rf"(?:[^\W\d_]|{_CODE})+")
# Fonts of formulas have Greek letters and signs at these codes, but write no words.
_LEAST_WORD = 4


def restored(letters: int, text: str) -> str:
    """Return the text of a page with Unicode ligatures instead of TeX's codes; it keeps its length.

    A code counts as a ligature in a word that one embedded font writes, if the font does not say what the code means.

    Args:
        letters: address of PDFium's text page.
        text: of the page, as PDFium gives it.
    """
    # To look for one letter after the other takes a tenth of the time of a pattern.
    if not any(map(text.__contains__, _MAY_BE_CODE)) and text.count("\r") == text.count("\r\n"):
        return text
    fonts = _Fonts(letters)
    words = [(word, font) for word in _WORD.finditer(text) if (font := fonts.of_word(word)) is not None]
    of_text = {font for word, font in words if len(word[0]) >= _LEAST_WORD and _codes(word) <= 1}
    codes: dict[int, dict[int, int]] = {font: {} for font in of_text}  # by font: place -> code
    for word, font in words:
        if font in of_text and 0 < _codes(word) < len(word[0]):  # alone, a code is another sign
            codes[font] |= {at: ord(text[at]) for at in _places(word) if fonts.is_unknown(at)}
    result = [*text]
    signs = _signs(text, fonts, of_text)
    for font, found in codes.items():
        of_t1 = sum(code in _T1 for code in found.values())
        encoding = _T1 if 2 * of_t1 >= len(found) else _OT1  # a font has one encoding
        for at, code in found.items():
            result[at] = encoding.get(code, result[at])
        is_t1 = encoding is _T1 if found else _are_signs(text, signs[font])
        for at in signs[font] if is_t1 else ():
            result[at] = _SIGNS[ord(text[at])]
    return "".join(result)


def _signs(text: str, fonts: _Fonts, of_text: set[int]) -> dict[int, list[int]]:
    """Return the places of what may be quotes and dashes, by the font that writes them."""
    found: dict[int, list[int]] = {font: [] for font in of_text}
    for sign in _IS_SIGN.finditer(text):
        font = fonts.of_letter(sign.start())
        if font in found and fonts.is_unknown(sign.start()):
            found[font].append(sign.start())
    return found


def _are_signs(text: str, places: Sequence[int]) -> bool:
    """Tell quotes and dashes from accents: they stand at the ends of words or between them."""
    accents = {accent.start() for accent in _ACCENT.finditer(text)}
    return 2 * sum(at in accents for at in places) < len(places)


def _codes(word: re.Match[str]) -> int:
    return len(_IS_CODE.findall(word[0]))


def _places(word: re.Match[str]) -> Iterator[int]:
    """Yield the places of codes in the text."""
    for code in _IS_CODE.finditer(word.string, word.start(), word.end()):
        yield code.start()


class _Fonts:
    """Asks PDFium for the fonts of letters by their places in the text."""

    def __init__(self, letters: int) -> None:
        import pypdfium2.raw as pdfium

        self._pdfium, self._page = pdfium, ctypes.cast(letters, pdfium.FPDF_TEXTPAGE)

    def of_word(self, word: re.Match[str]) -> int | None:
        """Return the address of the embedded font that writes a word, None where there is none or more than one."""
        first = self.of_letter(word.start())
        return first if first is not None and first == self.of_letter(word.end() - 1) else None

    def of_letter(self, place: int) -> int | None:
        """Return the address of the embedded font that writes a letter, None where there is none."""
        font = self._of(place)
        if not font or self._pdfium.FPDFFont_GetIsEmbedded(font) != 1:
            return None
        return address(font)

    def is_unknown(self, place: int) -> bool:
        """Tell whether the font of a letter does not say what it means."""
        return bool(self._pdfium.FPDFText_HasUnicodeMapError(self._page, self._index(place)) == 1)

    def _of(self, place: int) -> Any:
        letters = self._pdfium.FPDFText_GetTextObject(self._page, self._index(place))
        return self._pdfium.FPDFTextObj_GetFont(letters) if letters else None

    def _index(self, place: int) -> int:
        return int(self._pdfium.FPDFText_GetCharIndexFromTextIndex(self._page, place))
