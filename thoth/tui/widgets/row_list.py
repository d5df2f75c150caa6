"""A list with a cursor and check boxes of which only the part in view is ever drawn: thousands cost what ten do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

Row = TypeVar("Row")

_BOX = 4  # cells of "[x] "
_BOX_META = Style.from_meta({"box": True})


class RowList(ScrollView, Generic[Row], can_focus=True):
    """Rows of the same height. A subclass defines their text.

    Attributes:
        rows: what is listed, in this order. The cursor stays on its row when they change.
        checked: identities of the rows whose boxes have a mark, of rows that are not listed too.
        cursor: index of the row the keys are about.
        row_height: lines of a row.
    """

    DEFAULT_CSS = """
    RowList {
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        background: $surface;
        & > .row-list--muted { color: $text-muted; }
        & > .row-list--warning { color: $text-warning; }
        & > .row-list--cursor {
            color: $block-cursor-blurred-foreground;
            background: $block-cursor-blurred-background;
        }
        &:focus > .row-list--cursor {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
            text-style: $block-cursor-text-style;
        }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "row-list--text",
        "row-list--muted",
        "row-list--warning",
        "row-list--cursor",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", id="list.up", show=False, tooltip="Previous row"),
        Binding("down", "move(1)", "Down", id="list.down", show=False, tooltip="Next row"),
        Binding("pageup", "page(-1)", "Page up", id="list.page_up", show=False, tooltip="Page up"),
        Binding("pagedown", "page(1)", "Page down", id="list.page_down", show=False, tooltip="Page down"),
        Binding("home", "jump(0)", "First", id="list.first", show=False, tooltip="First row"),
        Binding("end", "jump(-1)", "Last", id="list.last", show=False, tooltip="Last row"),
        Binding("space", "check", "Select", id="list.check", tooltip="Toggle the check box"),
        Binding("enter", "open", "Open", id="list.open", tooltip="Open the row"),
    ]

    row_height: ClassVar[int] = 1

    # Comparing thousands of rows takes longer than drawing a few.
    rows: reactive[Sequence[Row]] = reactive[Sequence[Any]]((), init=False, always_update=True)
    checked: reactive[frozenset[str]] = reactive(frozenset[str]())
    cursor: reactive[int] = reactive(0)

    @dataclass
    class Checked(Message):
        """The check box of a row was toggled."""

        row: Any

    @dataclass
    class Opened(Message):
        """A row was chosen with Enter or two clicks."""

        row: Any

    def identity(self, row: Row) -> str:
        """Return the key of a row, which is the same in all its versions."""
        raise NotImplementedError

    def text(self, row: Row, line: int) -> tuple[str, str]:
        """Return a line of a row, safe to show, and the part it is styled as: text, muted or warning."""
        raise NotImplementedError

    def has_box(self, row: Row) -> bool:
        """Return whether a row has a check box; one without begins at the edge."""
        return True

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor inside the list."""
        return max(0, min(cursor, len(self.rows) - 1))

    def watch_rows(self, before: Sequence[Row], rows: Sequence[Row]) -> None:
        """Follow the row under the cursor to its new place."""
        if self.cursor < len(before):
            here = self.identity(before[self.cursor])
            self.cursor = next((place for place, row in enumerate(rows) if self.identity(row) == here), self.cursor)
        self._fit()

    def watch_cursor(self) -> None:
        """Keep the cursor in view."""
        self._reveal()
        self.refresh()

    def on_resize(self) -> None:
        """Use the new width, and keep the cursor in view."""
        self._fit()
        self._reveal()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the view."""
        width = self.scrollable_content_region.width
        place, line = divmod(y + self.scroll_offset.y, self.row_height)
        if place >= len(self.rows):
            return Strip.blank(width, self._style("text", cursor=False))
        row, here = self.rows[place], place == self.cursor
        text, part = self.text(row, line)
        segments = [Segment(cut(text, width), self._style(part, cursor=here))]
        if self.has_box(row):
            box = ("[x] " if self.identity(row) in self.checked else "[ ] ") if line == 0 else ""
            segments = [
                Segment(box.ljust(_BOX), self._style("text", cursor=here) + _BOX_META),
                Segment(cut(text, width - _BOX), self._style(part, cursor=here)),
            ]
        return Strip(segments).adjust_cell_length(width).apply_meta({"row": place})

    def on_click(self, event: events.Click) -> None:
        """Toggle a check box on click; open a row on double click."""
        place = event.style.meta.get("row")
        if place is None or place >= len(self.rows):
            return
        self.cursor = place
        if event.style.meta.get("box"):
            self.action_check()
        elif event.chain == 2:
            self.action_open()

    def action_move(self, rows: int) -> None:
        """Move the cursor by a number of rows."""
        self.cursor += rows

    def action_page(self, pages: int) -> None:
        """Move the cursor by a number of pages."""
        self.cursor += pages * max(1, self.size.height // self.row_height)

    def action_jump(self, place: int) -> None:
        """Put the cursor on a row; negative numbers count from the end."""
        self.cursor = place if place >= 0 else len(self.rows) + place

    def action_check(self) -> None:
        """Toggle the check box under the cursor."""
        if self.current is not None:
            self.post_message(self.Checked(self.current))

    def action_open(self) -> None:
        """Choose the row under the cursor."""
        if self.current is not None:
            self.post_message(self.Opened(self.current))

    def _fit(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.rows) * self.row_height)
        self.refresh()

    def _reveal(self) -> None:
        region = Region(0, self.cursor * self.row_height, 1, self.row_height)
        self.scroll_to_region(region, force=True, animate=False, immediate=True)

    def _style(self, part: str, *, cursor: bool) -> Style:
        parts = [f"row-list--{part}", *(["row-list--cursor"] if cursor else [])]
        return self.get_visual_style(*parts).rich_style


def cut(text: str, width: int) -> str:
    """Return the text in exactly `width` cells, with an ellipsis if it is longer."""
    if cell_len(text) > width:
        text = set_cell_size(text, max(0, width - 1)).rstrip() + "\u2026"
    return set_cell_size(text, max(0, width))
