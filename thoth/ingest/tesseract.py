"""A picture of a page -> lines of text, by the program tesseract (https://github.com/tesseract-ocr/tesseract)."""

from __future__ import annotations

import csv
import locale
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import groupby, pairwise
from statistics import mean
from typing import Any, NamedTuple

from thoth.ingest.pdf_line import Line

# The watch over this process gives up after a minute without progress.
_SECONDS = 45.0
# Tesseract's own confidence, in percent. Printed text has more than 80; a photograph yields a few signs with 30.
_LEAST_CONFIDENCE = 50.0
_UPRIGHT_CONFIDENCE = 70.0  # below, the page may lie on its side
_LEAST_TURN_CONFIDENCE = 2.0  # of an orientation: another unit, 15 is common

_MOST_LANGUAGES = 4  # each takes as much time again
_WIDE_GAP = 0.9  # of a line's height, as between columns
_NO_LANGUAGES = {"osd", "equ", "snum"}
_WIDE_SCRIPT = re.compile(r"[\u2e80-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]")
_TURN = re.compile(r"Rotate: (90|180|270)\n.*?confidence: ([\d.]+)")

_ISO = {"de": "deu", "fr": "fra", "es": "spa", "it": "ita", "pt": "por", "nl": "nld", "pl": "pol", "cs": "ces",
        "ru": "rus", "uk": "ukr", "sv": "swe", "da": "dan", "nb": "nor", "fi": "fin", "tr": "tur", "el": "ell",
        "hu": "hun", "ro": "ron", "ja": "jpn", "ko": "kor", "zh": "chi_sim"}  # fmt: skip


class _Word(NamedTuple):
    """A word that was recognized; distances in dots, from the upper left corner."""

    block: int
    line: tuple[int, int, int]
    left: int
    top: int
    right: int
    bottom: int
    confidence: float
    text: str


def read(render: Callable[[int], Any], scale: float) -> list[list[Line]]:
    """Return the lines of a page by its blocks, in the order in which they are read.

    Args:
        render: returns the page as a gray bitmap of PDFium, turned clockwise by 0, 90, 180 or 270 degrees.
        scale: dots for each point of the page.
    """
    picture, height = _picture(render(0))
    words = _words(picture, scale)
    if words is not None and not _is_upright(words) and (turn := _turn(picture)):
        turned, turned_height = _picture(render(turn))
        again = _words(turned, scale)
        if again is not None and (_is_upright(again) or _confidence(again) > _confidence(words)):
            words, height = again, turned_height
    return [
        [*_lines([*block], scale, height)] for _, block in groupby(_legible(words or ()), key=lambda word: word.block)
    ]


def _picture(bitmap: Any) -> tuple[bytes, int]:
    """Return a bitmap as PGM (a header, then a byte for each dot), and its height."""
    try:
        rows = memoryview(bitmap.buffer).cast("B")  # rows of a bitmap may be longer than the picture
        dots = b"".join(rows[y * bitmap.stride : y * bitmap.stride + bitmap.width] for y in range(bitmap.height))
        return b"P5 %d %d 255\n" % (bitmap.width, bitmap.height) + dots, bitmap.height
    finally:
        bitmap.close()


def _run(*options: str, picture: bytes = b"") -> str | None:
    """Run tesseract; None where it fails or takes too long."""
    # Its threads wait for each other by spinning: with one, a busy machine is up to ten times as fast.
    environment = os.environ | {"OMP_THREAD_LIMIT": "1"}
    try:
        done = subprocess.run(
            ["tesseract", *options], input=picture, capture_output=True, timeout=_SECONDS, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def _words(picture: bytes, scale: float) -> list[_Word] | None:
    found = _run("-", "-", "-l", _languages(), "--dpi", str(round(72 * scale)), "tsv", picture=picture)
    if found is None:
        return None
    words = []
    for row in csv.reader(found.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        # Level, page, block, paragraph, line, word, left, top, width, height, confidence, text; level 5 is a word.
        if len(row) == 12 and row[0] == "5" and row[11].strip():
            block, paragraph, line, left, top, width, height = (int(row[at]) for at in (2, 3, 4, 6, 7, 8, 9))
            place = block, (block, paragraph, line), left, top, left + width, top + height
            words.append(_Word(*place, float(row[10]), row[11].strip()))
    return words


def _lines(words: Sequence[_Word], scale: float, page_height: int) -> Iterator[Line]:
    for _, group in groupby(words, key=lambda word: word.line):
        line = [*group]
        top, bottom = min(word.top for word in line), max(word.bottom for word in line)
        text, gaps = line[0].text, []
        for before, behind in pairwise(line):
            together = _WIDE_SCRIPT.match(before.text[-1]) and _WIDE_SCRIPT.match(behind.text)
            text += behind.text if together else f" {behind.text}"
            if behind.left - before.right > _WIDE_GAP * (bottom - top):
                gaps.append((len(text) - len(behind.text), before.right / scale, behind.left / scale))
        left, right = min(word.left for word in line), max(word.right for word in line)
        size = max(bottom - top, 1) / scale
        yield Line(text, left / scale, right / scale, (page_height - bottom) / scale, size, gaps=tuple(gaps))


def _legible(words: Sequence[_Word]) -> list[_Word]:
    """Leave out lines that are probably no text."""
    lines = [[*line] for _, line in groupby(words, key=lambda word: word.line)]
    return [word for line in lines if _confidence(line) >= _LEAST_CONFIDENCE for word in line]


def _confidence(words: Sequence[_Word]) -> float:
    return mean(word.confidence for word in words) if words else 0.0


def _is_upright(words: Sequence[_Word]) -> bool:
    """Tell whether a page was read, and in lines that are wider than high."""
    lines = [[*line] for _, line in groupby(words, key=lambda word: word.line)]
    wide = sum(line[-1].right - line[0].left > line[0].bottom - line[0].top for line in lines)
    return _confidence(words) >= _UPRIGHT_CONFIDENCE and 2 * wide >= len(lines)


def _turn(picture: bytes) -> int:
    """Return by how many degrees a page must be turned clockwise to be read, 0 where nobody knows."""
    found = _TURN.search(_run("-", "-", "--psm", "0", picture=picture) or "") if "osd" in _installed() else None
    return int(found[1]) if found and float(found[2]) >= _LEAST_TURN_CONFIDENCE else 0


@cache
def _installed() -> frozenset[str]:
    """Return the names of the languages that are installed."""
    return frozenset((_run("--list-langs") or "").split("\n")[1:]) - {""}


@cache
def _languages() -> str:
    """Return what to read: all languages that somebody chose to install, of a large collection those of the system."""
    chosen = sorted(name for name in _installed() - _NO_LANGUAGES if "/" not in name)
    if len(chosen) > _MOST_LANGUAGES:
        system = _ISO.get((locale.getlocale()[0] or "").partition("_")[0], "")
        chosen = [name for name in ("eng", system) if name in chosen] or chosen[:1]
    return "+".join(chosen) or "eng"
