"""Logs -> their lines, without the escape sequences that colour them on a terminal."""

from __future__ import annotations

import re

from thoth.ingest import text, text_blocks
from thoth.ingest.document import Document

# Colours and cursor (CSI), titles and links (OSC), each up to its end.
_ESCAPES = re.compile(rb"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]{0,2000}(?:\x07|\x1b\\)|\x1b[@-Z\\^_=>]")


def read(data: bytes, name: str, charset: str | None = None) -> Document:
    """Read a log; arguments and errors are those of `text.decode`."""
    return text_blocks.read(text.decode(_ESCAPES.sub(b"", data), name, charset), name)
