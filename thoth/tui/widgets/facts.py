"""Labels and their values, or keys and their meaning, in two columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.content import Content
from textual.geometry import Size
from textual.widgets import Static

_GAP = 2
_LEAST = 12  # cells that a value needs to be wrapped in a column of its own


class Facts(Static):
    """Rows of a label and a value; a value that takes several lines stays in its column.

    Args:
        rows: labels and their values.
    """

    DEFAULT_CSS = """
    Facts { padding-right: 1; }
    """
    LABEL_STYLE: ClassVar = "$text-muted"

    def __init__(self, rows: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__()
        self._rows = rows

    def put(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show other rows."""
        self._rows = rows
        self.clear_cached_dimensions()
        self.refresh(layout=True)

    def render(self) -> Content:
        """Return the rows, wrapped at the width of this widget."""
        return Content("\n").join(self._lines(self.content_size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines the rows take at a width."""
        return len(self._lines(width))

    def _lines(self, width: int) -> list[Content]:
        label_width = max((len(label) for label, _ in self._rows), default=0) + _GAP
        lines = []
        for label, value in self._rows:
            left = Content.styled(f"{label:<{label_width}}", self.LABEL_STYLE)
            if width - label_width < _LEAST:
                lines += (left + value).wrap(max(width, 1))
                continue
            first, *rest = Content(value).wrap(width - label_width) or [Content()]
            lines += [left + first, *(Content(" " * label_width) + line for line in rest)]
        return lines
