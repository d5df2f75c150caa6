"""Pages without text -> their lines, by what is installed: Apple Vision (`ocrmac`) on macOS, tesseract on Linux.

Off unless it is asked for: recognition takes seconds for a page, and its mistakes look like text.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any

from mlx_hypernet.format import installing
from thoth.ingest import tesseract
from thoth.ingest.pdf_line import BROKEN_WORD, Line

_DOTS_PER_INCH = 200
_MAX_PIXELS = 40_000_000  # a poster is made smaller; at 200 dpi an A3 page has 8 million
_SAME_FONT = 0.7, 1.4  # heights of lines, as multiples of the usual: with and without descenders


def is_available() -> bool:
    """Tell whether this machine can recognize text."""
    if sys.platform == "darwin":
        return find_spec("ocrmac") is not None
    return shutil.which("tesseract") is not None


def remedy(recognized: bool) -> str:
    """Return what a person can do about pages without text.

    Args:
        recognized: whether text recognition was tried.
    """
    if is_available():
        if recognized:
            return "text recognition (OCR) found none either; scan again at 300 dpi or with more contrast"
        return "`--ocr`, or the setting `ocr`, reads them by text recognition"
    if sys.platform == "darwin":
        return f"to have them read, run `{installing.command('ocrmac>=1')}`, then use `--ocr` or the setting `ocr`"
    return "to have them read, install tesseract and use `--ocr` or the setting `ocr`"


def read(page: Any) -> list[Line]:
    """Return the lines that can be recognized on a page of PDFium, none where nothing can.

    Args:
        page: a `pypdfium2.PdfPage`.
    """
    if not is_available():
        return []
    width, height = page.get_size()
    scale = min(_DOTS_PER_INCH / 72, (_MAX_PIXELS / max(width * height, 1.0)) ** 0.5)

    def render(rotation: int) -> Any:
        return page.render(scale=scale, grayscale=True, rotation=rotation)

    blocks = _apple_vision(render) if sys.platform == "darwin" else tesseract.read(render, scale)
    return [line for block in blocks for line in _levelled(block)]


def _levelled(block: Sequence[Line]) -> Iterable[Line]:
    """Yield the lines of a block as those of a PDF are: of one height, and words broken at the end marked."""
    usual = statistics.median(line.size for line in block) if block else 0.0
    for at, line in enumerate(block):
        text = line.text
        if at + 1 < len(block) and text[-1:] == "-" and text[-2:-1].isalpha() and block[at + 1].text[:1].islower():
            text = text[:-1] + BROKEN_WORD[0]
        is_usual = _SAME_FONT[0] * usual < line.size < _SAME_FONT[1] * usual
        yield line._replace(text=text, size=usual if is_usual else line.size)


def _apple_vision(render: Any) -> list[list[Line]]:
    from ocrmac import ocrmac  # type: ignore[import-not-found]

    bitmap = render(0)
    try:
        width, height = (size * 72 / _DOTS_PER_INCH for size in (bitmap.width, bitmap.height))
        found = ocrmac.OCR(bitmap.to_pil()).recognize()
    finally:
        bitmap.close()
    # Places are shares of the page, from its lower left corner: left, bottom, width, height.
    return [
        [
            Line(text, box[0] * width, (box[0] + box[2]) * width, box[1] * height, max(box[3] * height, 1.0))
            for text, _, box in found
            if text.strip()
        ]
    ]
