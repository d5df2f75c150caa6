"""The last step before the screen: no text of a document, a name or an answer reaches the terminal as a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import LineFilter

from thoth.system import terminal

if TYPE_CHECKING:
    from textual.color import Color


class SafeText(LineFilter):
    """Takes control characters out of everything that is drawn, and addresses with such characters out of links."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments of a line as they may be written; their widths stay, for control characters have none."""
        return [segment if segment.control else _safe(segment) for segment in segments]


def _safe(segment: Segment) -> Segment:
    text, style, _ = segment
    if style is not None and style.link and terminal.stripped(style.link) != style.link:
        style = style.update_link(None)
        return Segment(terminal.stripped(text), style)
    safe = terminal.stripped(text)
    return segment if safe == text else Segment(safe, style)
