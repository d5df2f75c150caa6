"""One line over the whole width, at the top or the bottom; what does not fit is cut."""

from __future__ import annotations

from textual.widgets import Static


class Line(Static):
    """What the status line and the line of keys have in common."""

    DEFAULT_CSS = """
    Line {
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $text-muted;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """
