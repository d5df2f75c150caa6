"""F1: the keys and the commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from thoth.tui.key_names import written
from thoth.tui.screens.dialog import Dialog
from thoth.tui.widgets.facts import Facts

if TYPE_CHECKING:
    from textual.binding import ActiveBinding

Row = tuple[str, str]


class HelpScreen(Dialog[None]):
    """Shows tables of two columns.

    Args:
        sections: heading -> rows of a key or command and its description.
    """

    def __init__(self, sections: Mapping[str, Sequence[Row]]) -> None:
        super().__init__()
        self._sections = sections

    def compose(self) -> ComposeResult:
        """Yield the sections."""
        with VerticalScroll(classes="dialog") as box:
            box.border_title = "Help"
            box.border_subtitle = "Esc closes"
            for heading, rows in self._sections.items():
                if rows:
                    yield Static(heading, classes="heading", markup=False)
                    yield Facts(rows)


def keys(bindings: Iterable[ActiveBinding]) -> list[Row]:
    """Return the active keys of a screen, as the user has set them, and what they do, those at the bottom first.

    Only our own keys, which have an id: users know the arrow keys.

    Args:
        bindings: `screen.active_bindings.values()`, taken before this dialog is pushed.
    """
    rows = [
        (written(active.binding.key), active.binding.tooltip or active.binding.description)
        for active in sorted(bindings, key=lambda active: (not active.binding.show, isinstance(active.node, Screen)))
        if active.binding.id and active.binding.description
    ]
    return list(dict.fromkeys(rows))
