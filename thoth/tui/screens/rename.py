"""A new name for a document or chat."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input

from thoth.tui.screens.dialog import Dialog


class Rename(Dialog[str | None]):
    """Asks for a name; closes with it, or with None if it is unchanged.

    Args:
        title: title of the dialog.
        name: the current name.
    """

    def __init__(self, title: str, name: str) -> None:
        super().__init__()
        self._title = title
        self._old = name

    def compose(self) -> ComposeResult:
        """Yield the field with the current name."""
        with VerticalScroll(classes="dialog", can_focus=False) as box:
            box.border_title = self._title
            yield Input(self._old, placeholder="Name")
            with Horizontal(classes="buttons"):
                yield Button("Rename", id="rename", variant="primary")
                yield Button("Cancel", id="cancel")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Allow only a name that is not blank."""
        self.query_one("#rename", Button).disabled = not event.value.strip()

    def on_input_submitted(self) -> None:
        """Close with the name."""
        self._take()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Close with the name or with None."""
        if event.button.id == "rename":
            self._take()
        else:
            self.dismiss(None)

    def _take(self) -> None:
        name = self.query_one(Input).value.strip()
        if name:
            self.dismiss(name if name != self._old else None)
