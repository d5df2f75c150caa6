"""A question with one answer that cannot be taken back, or that takes long."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Static
from textual.widgets.button import ButtonVariant

from thoth.tui.screens.dialog import Dialog


class Confirm(Dialog[bool | None]):
    """Asks; closes with True to do it, else with False or None.

    Args:
        question: in one line.
        detail: what will happen, and what will not.
        yes: the verb on the button.
        variant: of that button; red for what cannot be taken back.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes", id="confirm.yes", tooltip="Do it"),
        Binding("n", "dismiss(False)", "No", id="confirm.no", tooltip="Leave it"),
    ]

    def __init__(self, question: str, detail: str, yes: str, variant: ButtonVariant = "error") -> None:
        super().__init__()
        self._question = question
        self._detail = detail
        self._yes = yes
        self._variant: ButtonVariant = variant

    def compose(self) -> ComposeResult:
        """Yield the question and the two answers; the one that changes nothing has the focus."""
        with VerticalScroll(classes="dialog", can_focus=False) as box:
            box.border_title = self._yes
            box.border_subtitle = "Y does it, N or Esc does not"
            yield Static(self._question, classes="heading", markup=False)
            yield Static(self._detail, classes="note", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(self._yes, id="yes", variant=self._variant)
                yield Button("Cancel", id="no")

    def on_mount(self) -> None:
        """Let Enter do no harm."""
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Close with the answer."""
        self.dismiss(event.button.id == "yes")
