"""The frame of a dialog: a titled box that fits any terminal and closes with Escape."""

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.types import CSSPathType

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A dialog; its box is the only child with the class `dialog`.

    A subclass with its own style sheet names both: `CSS_PATH = ["dialog.tcss", "own.tcss"]`.
    """

    CSS_PATH: ClassVar[CSSPathType | None] = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close", id="dialog.close", tooltip="Close this dialog"),
    ]

    def action_copy_text(self) -> None:
        """Copy the selection; without one, Ctrl+C closes the dialog."""
        if self.get_selected_text():
            super().action_copy_text()
        else:
            self.call_later(self.run_action, "dismiss")
