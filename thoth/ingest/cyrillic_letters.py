"""Cyrillic text in a PDF whose fonts say Latin, or nothing: `Ñîçäàíèå ïàêåòîâ` -> `Создание пакетов`.

Fonts of old programs have the letters of Windows-1251 under the names of Latin ones; fonts of TeX without names have
those of T2A. Both number the Russian alphabet alike, from 0xC0 on.
"""

from __future__ import annotations

import re

_ALPHABET = {0xC0 + place: 0x410 + place for place in range(64)}
_WINDOWS = _ALPHABET | {
    ord(chr(code)): ord(bytes([code]).decode("cp1251")) for code in (0xA5, 0xA8, 0xAA, 0xAF, 0xB2, 0xB3, 0xB4, 0xB8,
                                                                     0xB9, 0xBA, 0xBF)
}  # fmt: skip
# LaTeX's t2aenc.def: besides letters, the number sign and quotes.
_T2A = _ALPHABET | {
    0x80: ord("Ґ"), 0xA0: ord("ґ"), 0x88: ord("Ї"), 0xA8: ord("ї"), 0x92: ord("Ў"), 0xB2: ord("ў"), 0x99: ord("Є"),
    0xB9: ord("є"), 0x9C: ord("Ё"), 0xBC: ord("ё"), 0x9D: ord("№"), 0xBD: ord("„"), 0xBE: ord("«"), 0xBF: ord("»"),
}  # fmt: skip

_LETTER = "[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u00d7\u00f7]"
_WORD = re.compile(rf"(?:[^\W\d_]|{_LETTER})+")
_FOREIGN = re.compile(rf"{_LETTER}{{3,}}")
_RUN = re.compile("(?<![A-Za-z])[\x80-\xff]+(?![A-Za-z])")
# Accents of other languages stand between plain letters. Behind a page that is Cyrillic, a few words are enough.
_FEWEST_LETTERS, _FEWEST_BEHIND = 20, 6
_LEAST_SHARE, _LEAST_BEHIND = 0.3, 0.02  # of all letters of the page
_VOWELS = 0.25, 0.6  # their share in Russian, Ukrainian and Bulgarian is about 0.42


def restored(text: str, *, is_unmapped: bool, is_likely: bool) -> str:
    """Return the text of a page with Cyrillic letters where Latin ones make no words; it keeps its length.

    Args:
        text: of the page.
        is_unmapped: whether its fonts do not say what their letters mean.
        is_likely: whether an earlier page was Cyrillic.
    """
    if text.isascii() or not _FOREIGN.search(text):
        return text
    words = _WORD.findall(text)
    foreign = "".join(word for word in words if _FOREIGN.fullmatch(word))
    fewest, share = (_FEWEST_BEHIND, _LEAST_BEHIND) if is_likely else (_FEWEST_LETTERS, _LEAST_SHARE)
    if len(foreign) < max(fewest, share * sum(map(len, words))):
        return text
    table = _T2A if is_unmapped else _WINDOWS
    letters = foreign.translate(table).lower()
    if not _VOWELS[0] < sum(letter in "аеёиоуыэюяії" for letter in letters) / len(letters) < _VOWELS[1]:
        return text
    return _RUN.sub(lambda run: run[0].translate(table), text)
