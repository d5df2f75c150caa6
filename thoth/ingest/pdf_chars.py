"""Where the letters of a page of a PDF stand, asked of PDFium for many letters at once.

PDFium answers one question at a time: one `map` asks for all letters, and the answers come in one array.
"""

from __future__ import annotations

import ctypes
import re
from array import array
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from itertools import repeat
from typing import Any, NamedTuple

from thoth.ingest.pdfium_calls import ADDRESS, INT, LONG, address, bound

_MONO = re.compile(rb"courier|mono|consol|menlo|typewriter|cmtt|fixed|inconsolata|sourcecode", re.IGNORECASE)
_FIXED_PITCH = 0x1
_NAME_BYTES = 128
_NOWHERE = float("nan")  # no comparison with it is true


class Boxes(NamedTuple):
    """The places of letters as the page is seen, in points; NaN for one that stands nowhere."""

    left: list[float]
    bottom: list[float]
    right: list[float]
    top: list[float]


class Chars:
    """The letters of a page.

    Args:
        text_page: PDFium's handle; it must stay open.
        rotation: of the page, in degrees clockwise: 0, 90, 180 or 270.
    """

    def __init__(self, text_page: Any, rotation: int = 0) -> None:
        self._page = address(text_page)
        self._rotation = rotation
        self._ask = _functions()

    def indexes(self, places: Sequence[int]) -> list[int]:
        """Return PDFium's numbers for letters of the text, in order; negative where it has none."""
        if not places:
            return []
        first, last = (self._ask.index(self._page, place) for place in (places[0], places[-1]))
        # The numbers grow with the places. Where the ends are equally far apart in both, so are all letters between.
        if first >= 0 and last - first == places[-1] - places[0]:
            step = first - places[0]
            return [place + step for place in places] if step else [*places]
        return list(map(self._ask.index, repeat(self._page), places))

    def boxes(self, indexes: Sequence[int]) -> Boxes:
        """Return the places of letters."""
        count = len(indexes)
        answers = array("f", bytes(16 * count))
        first = answers.buffer_info()[0]
        known = list(map(self._ask.box, repeat(self._page), indexes, range(first, first + 16 * count, 16)))
        if not all(known):
            for at in (at for at, one in enumerate(known) if not one):
                answers[4 * at : 4 * at + 4] = array("f", [_NOWHERE] * 4)
        flat = answers.tolist()
        left, top, right, bottom = flat[0::4], flat[1::4], flat[2::4], flat[3::4]
        return self.turned(left, bottom, right, top)

    def turned(self, left: list[float], bottom: list[float], right: list[float], top: list[float]) -> Boxes:
        """Return boxes as the page is seen."""
        match self._rotation:
            case 90:
                return Boxes(bottom, _minus(right), top, _minus(left))
            case 180:
                return Boxes(_minus(right), _minus(top), _minus(left), _minus(bottom))
            case 270:
                return Boxes(_minus(top), left, _minus(bottom), right)
        return Boxes(left, bottom, right, top)

    def baselines(self, indexes: Sequence[int]) -> list[float]:
        """Return how high the lines of letters stand."""
        count = len(indexes)
        answers = array("d", bytes(16 * count))
        first = answers.buffer_info()[0]
        x, y = range(first, first + 16 * count, 16), range(first + 8, first + 8 + 16 * count, 16)
        list(map(self._ask.origin, repeat(self._page), indexes, x, y))
        flat = answers.tolist()
        match self._rotation:
            case 90:
                return _minus(flat[0::2])
            case 180:
                return _minus(flat[1::2])
            case 270:
                return flat[0::2]
        return flat[1::2]

    def are_mono(self, indexes: Sequence[int]) -> list[bool]:
        """Tell of which letters the font has letters of one width."""
        name, flags = ctypes.create_string_buffer(_NAME_BYTES), ctypes.c_int()
        to_name, to_flags = ctypes.addressof(name), ctypes.addressof(flags)
        ask, page = self._ask.font, self._page
        found = []
        for index in indexes:
            ask(page, index, to_name, _NAME_BYTES, to_flags)
            found.append(bool(flags.value & _FIXED_PITCH) or _is_mono(name.value))
        return found

    def unmapped(self, indexes: Sequence[int]) -> list[int]:
        """Return those of the letters whose font does not say what they mean."""
        answers = map(self._ask.unmapped, repeat(self._page), indexes)
        return [index for index, answer in zip(indexes, answers, strict=True) if answer == 1]


class _Functions(NamedTuple):
    """The functions of PDFium that answer."""

    index: Callable[..., int]
    box: Callable[..., int]
    origin: Callable[..., int]
    font: Callable[..., int]
    unmapped: Callable[..., int]


@cache
def _functions() -> _Functions:
    return _Functions(
        bound("FPDFText_GetCharIndexFromTextIndex", ADDRESS, INT),
        bound("FPDFText_GetLooseCharBox", ADDRESS, INT, ADDRESS),
        bound("FPDFText_GetCharOrigin", ADDRESS, INT, ADDRESS, ADDRESS),
        bound("FPDFText_GetFontInfo", ADDRESS, INT, ADDRESS, LONG, ADDRESS, returns=LONG),
        bound("FPDFText_HasUnicodeMapError", ADDRESS, INT),
    )


@lru_cache(256)
def _is_mono(name: bytes) -> bool:
    return bool(_MONO.search(name))


def _minus(values: Sequence[float]) -> list[float]:
    return [-value for value in values]
