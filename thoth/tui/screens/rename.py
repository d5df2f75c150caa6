"""A new name for a document or chat."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input

from thoth.tui.screens.dialog import Dialog


class Rename(Dialog[str | None]):
    """Asks for a name; closes with it, or with None if it is unchanged.

    Args:
        title: title of the dialog.
        name: the current name.
        placeholder: what the empty field says.
        button: what the button says.
        may_be_empty: whether no name is an answer too.
    """

    def __init__(
        self,
        title: str,
        name: str,
        placeholder: str = "Name",
        button: str = "Rename",
        *,
        may_be_empty: bool = False,
    ) -> None:
        super().__init__()
        self._title, self._old = title, name
        self._placeholder, self._button, self._may_be_empty = placeholder, button, may_be_empty

    def compose(self) -> ComposeResult:
        """Yield the field with the current name."""
        with VerticalScroll(classes="dialog", can_focus=False) as box:
            box.border_title = Content(self._title)  # no markup: a name may be in it
            yield Input(self._old, placeholder=self._placeholder)
            with Horizontal(classes="buttons"):
                yield Button(self._button, id="rename", variant="primary")
                yield Button("Cancel", id="cancel")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Allow only a name that is not blank."""
        self.query_one("#rename", Button).disabled = not self._is_name(event.value)

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
        if self._is_name(name):
            self.dismiss(name if name != self._old else None)

    def _is_name(self, text: str) -> bool:
        return self._may_be_empty or bool(text.strip())
