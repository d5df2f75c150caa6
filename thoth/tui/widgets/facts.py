"""Labels and their values, or keys and their meaning, in two columns."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static


class Facts(Static):
    """Rows of a label and a value, the values below each other.

    Args:
        rows: at least one.
    """

    def __init__(self, rows: Sequence[tuple[str, str]]) -> None:
        width = max(len(label) for label, _ in rows)
        lines = [Content.assemble((f"{label:<{width}}  ", "$text-muted"), value) for label, value in rows]
        super().__init__(Content("\n").join(lines))
