r"""Text at the edge to a terminal, which obeys what it is sent: documents, names and answers must not command it.

`ESC ]52` writes the clipboard, `ESC [2J` clears the screen, a bidi override shows `exe.gpj` for `jpg.exe`. So whatever
is sent to one passes through `printable`; pipes and files get the text unchanged.
"""

from __future__ import annotations

import io
import re
import sys
from typing import Any, TextIO

# C0 but for tab and line feed, DEL, C1; line and paragraph separators; marks that reverse what follows. Joiners and
# variation selectors stay, emoji are made of them.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Return a text with everything that a terminal could obey written as an escape, `\x1b` for example."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def stripped(text: str) -> str:
    """Return a text without what a terminal could obey, for a place whose width is reckoned already."""
    return _UNSAFE.sub("", text)


class _Guarded:
    """A terminal's stream that only takes printable text; all else is the stream's own.

    Attributes:
        unguarded: the stream itself, for what Thoth writes to move the cursor.
    """

    def __init__(self, stream: TextIO) -> None:
        self.unguarded = stream

    def write(self, text: str) -> int:
        """Write a text."""
        self.unguarded.write(printable(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # bytes would go past
            raise AttributeError(name)
        return getattr(self.unguarded, name)


def guard() -> None:
    """Let standard output and standard error only take printable text where they are terminals.

    Letters that their encoding does not have are written as escapes, as Python does on standard error alone.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
        if stream is not None and not isinstance(stream, _Guarded) and stream.isatty():
            setattr(sys, name, _Guarded(stream))


def control(stream: Any) -> TextIO:
    """Return the stream that takes control characters: for those that Thoth itself writes."""
    unguarded: TextIO = getattr(stream, "unguarded", stream)
    return unguarded
