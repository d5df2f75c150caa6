"""Pages without text -> their text, by what is installed: Apple Vision (`ocrmac`) on macOS, tesseract on Linux.

Off unless it is asked for: recognition takes seconds for a page, and its mistakes look like text.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

_DOTS_PER_INCH = 200
_MAX_PIXELS = 40_000_000  # a poster is made smaller; at 200 dpi an A3 page has 8 million
_SECONDS = 60.0


def is_available() -> bool:
    """Tell whether this machine can recognize text."""
    if sys.platform == "darwin":
        return find_spec("ocrmac") is not None
    return shutil.which("tesseract") is not None


def offer() -> str:
    """Return what a person can do about a page without text."""
    if is_available():
        return "`--ocr`, or the setting `ocr`, reads them by text recognition"
    if sys.platform == "darwin":
        return "to have them read, install thoth[ocr] and use `--ocr` or the setting `ocr`"
    return "to have them read, install tesseract and use `--ocr` or the setting `ocr`"


def read(page: Any) -> str:
    """Return what can be recognized on a page of PDFium, empty where nothing can.

    Args:
        page: a `pypdfium2.PdfPage`.
    """
    if not is_available():
        return ""
    width, height = page.get_size()
    scale = _DOTS_PER_INCH / 72
    scale = min(scale, (_MAX_PIXELS / max(width * height, 1.0)) ** 0.5)
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        return _apple_vision(bitmap) if sys.platform == "darwin" else _tesseract(bitmap)
    finally:
        bitmap.close()


def _tesseract(bitmap: Any) -> str:
    # PGM: a header, then a byte for each point; rows of a bitmap may be longer than the picture.
    rows = memoryview(bitmap.buffer).cast("B")
    points = b"".join(rows[y * bitmap.stride : y * bitmap.stride + bitmap.width] for y in range(bitmap.height))
    picture = b"P5 %d %d 255\n" % (bitmap.width, bitmap.height) + points
    try:
        found = subprocess.run(["tesseract", "-", "-"], input=picture, capture_output=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.decode(errors="replace").strip() if found.returncode == 0 else ""


def _apple_vision(bitmap: Any) -> str:
    from ocrmac import ocrmac  # type: ignore[import-not-found]

    lines = ocrmac.OCR(bitmap.to_pil()).recognize()
    return "\n".join(text for text, _, _ in lines)
