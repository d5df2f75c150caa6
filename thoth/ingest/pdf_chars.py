"""Where the letters of a page of a PDF stand, asked of PDFium for many letters at once.

PDFium answers one question at a time: one `map` asks for all letters, and the answers come in one array.
"""

from __future__ import annotations

import ctypes
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import repeat
from typing import NamedTuple

from thoth.ingest.pdfium_calls import UNSIGNED, Pointer, bound, pointer

_MONO = re.compile(rb"courier|mono|consol|menlo|typewriter|cmtt|fixed|inconsolata|sourcecode", re.IGNORECASE)
_FIXED_PITCH = 0x1
_NAME_BYTES = 128
_NOWHERE = float("nan")  # no comparison with it is true
_AT_ONCE = 1024  # letters that there is room for


class Boxes(NamedTuple):
    """The places of letters as the page is seen, in points; NaN for one that stands nowhere."""

    left: list[float]
    bottom: list[float]
    right: list[float]
    top: list[float]


class Chars:
    """The letters of a page.

    Args:
        letters: address of PDFium's text page; it must stay open.
        rotation: of the page, in degrees clockwise: 0, 90, 180 or 270.
    """

    def __init__(self, letters: int, rotation: int = 0) -> None:
        self._page = pointer(letters)
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
        room, flat = _room(), array("f")
        for some in _parts(indexes):
            known = list(map(self._ask.box, repeat(self._page), some, room.boxes))
            if not all(known):
                for at in (at for at, one in enumerate(known) if not one):
                    room.edges[4 * at : 4 * at + 4] = array("f", [_NOWHERE] * 4)
            flat += room.edges[: 4 * len(some)]
        edges = flat.tolist()
        left, top, right, bottom = edges[0::4], edges[1::4], edges[2::4], edges[3::4]
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
        room, x, y = _room(), array("d"), array("d")
        for some in _parts(indexes):
            list(map(self._ask.origin, repeat(self._page), some, room.x, room.y))
            x += room.origins[: len(some)]
            y += room.origins[_AT_ONCE : _AT_ONCE + len(some)]
        match self._rotation:
            case 90:
                return _minus(x)
            case 180:
                return _minus(y)
            case 270:
                return x.tolist()
        return y.tolist()

    def are_mono(self, indexes: Sequence[int]) -> list[bool]:
        """Tell of which letters the font has letters of one width."""
        name, flags = ctypes.create_string_buffer(_NAME_BYTES), ctypes.c_int()
        to_name, to_flags = pointer(ctypes.addressof(name)), pointer(ctypes.addressof(flags))
        ask, page, most = self._ask.font, self._page, ctypes.c_ulong.from_param(_NAME_BYTES)
        found = []
        for index in indexes:
            ask(page, index, to_name, most, to_flags)
            found.append(bool(flags.value & _FIXED_PITCH) or _is_mono(name.value))
        return found

    def unmapped(self, indexes: Sequence[int]) -> list[int]:
        """Return those of the letters whose font does not say what they mean."""
        answers = map(self._ask.unmapped, repeat(self._page), indexes)
        return [index for index, answer in zip(indexes, answers, strict=True) if answer == 1]

    def codes(self, indexes: Sequence[int]) -> list[int]:
        """Return the letters themselves, as numbers of Unicode."""
        return list(map(self._ask.code, repeat(self._page), indexes))


class _Functions(NamedTuple):
    """The functions of PDFium that answer."""

    index: Callable[..., int]
    box: Callable[..., int]
    origin: Callable[..., int]
    font: Callable[..., int]
    unmapped: Callable[..., int]
    code: Callable[..., int]


@cache
def _functions() -> _Functions:
    return _Functions(
        bound("FPDFText_GetCharIndexFromTextIndex"),
        bound("FPDFText_GetLooseCharBox"),
        bound("FPDFText_GetCharOrigin"),
        bound("FPDFText_GetFontInfo", returns=ctypes.c_ulong),
        bound("FPDFText_HasUnicodeMapError"),
        bound("FPDFText_GetUnicode", returns=UNSIGNED),
    )


class _Room:
    """Where PDFium writes its answers; to make a place for each call takes longer than the call."""

    def __init__(self) -> None:
        self.edges = array("f", bytes(16 * _AT_ONCE))
        self.boxes = _places(self.edges, 16, 0)
        self.origins = array("d", bytes(16 * _AT_ONCE))  # all x, then all y
        self.x, self.y = _places(self.origins, 8, 0), _places(self.origins, 8, 8 * _AT_ONCE)


@cache
def _room() -> _Room:
    return _Room()  # PDFium is called by one thread at a time


def _places(answers: array[float], size: int, start: int) -> list[Pointer]:
    first = answers.buffer_info()[0] + start
    return [pointer(place) for place in range(first, first + size * _AT_ONCE, size)]


def _parts(indexes: Sequence[int]) -> Iterator[Sequence[int]]:
    if len(indexes) <= _AT_ONCE:
        yield indexes
        return
    for start in range(0, len(indexes), _AT_ONCE):
        yield indexes[start : start + _AT_ONCE]


@lru_cache(256)
def _is_mono(name: bytes) -> bool:
    return bool(_MONO.search(name))


def _minus(values: Sequence[float]) -> list[float]:
    return [-value for value in values]
