"""A confirmation of something that cannot be undone or takes long."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Static
from textual.widgets.button import ButtonVariant

from thoth.tui.screens.dialog import Dialog


class Confirm(Dialog[bool | None]):
    """Asks for a confirmation; closes with True to go ahead, else with False or None.

    Args:
        question: one line.
        detail: what will happen and what will not.
        yes: label of the button.
        variant: style of that button; red for what cannot be undone.
    """

    AUTO_FOCUS = "#no"  # so that Enter is safe
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes", id="confirm.yes", tooltip="Confirm"),
        Binding("n", "dismiss(False)", "No", id="confirm.no", tooltip="Cancel"),
    ]

    def __init__(self, question: str, detail: str, yes: str, variant: ButtonVariant = "error") -> None:
        super().__init__()
        self._question = question
        self._detail = detail
        self._yes = yes
        self._variant: ButtonVariant = variant

    def compose(self) -> ComposeResult:
        """Yield the question and the two buttons; Cancel has the focus."""
        with VerticalScroll(classes="dialog", can_focus=False) as box:
            box.border_title = self._yes
            box.border_subtitle = "Y confirms, N or Esc cancels"
            yield Static(self._question, classes="heading", markup=False)
            yield Static(self._detail, classes="note", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(self._yes, id="yes", variant=self._variant)
                yield Button("Cancel", id="no")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Close with the choice."""
        self.dismiss(event.button.id == "yes")
