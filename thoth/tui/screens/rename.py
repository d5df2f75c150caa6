"""Another name for something."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input

from thoth.tui.screens.dialog import Dialog


class Rename(Dialog[str | None]):
    """Asks for a name; closes with it, or with None where it stays as it is.

    Args:
        title: of the dialog.
        name: as it is.
    """

    def __init__(self, title: str, name: str) -> None:
        super().__init__()
        self._title = title
        self._old = name

    def compose(self) -> ComposeResult:
        """Yield the field, the old name in it."""
        with VerticalScroll(classes="dialog", can_focus=False) as box:
            box.border_title = self._title
            yield Input(self._old, placeholder="Name")
            with Horizontal(classes="buttons"):
                yield Button("Rename", id="rename", variant="primary")
                yield Button("Cancel", id="cancel")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Offer only what is a name."""
        self.query_one("#rename", Button).disabled = not event.value.strip()

    def on_input_submitted(self) -> None:
        """Take the name."""
        self._take()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the name, or leave it."""
        if event.button.id == "rename":
            self._take()
        else:
            self.dismiss(None)

    def _take(self) -> None:
        name = self.query_one(Input).value.strip()
        if name:
            self.dismiss(name if name != self._old else None)
