"""The frame of a dialog: a titled box that fits any terminal and closes with Escape."""

from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.types import CSSPathType
from textual.worker import Worker, WorkerCancelled

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A dialog; its box is the only child with the class `dialog`.

    A subclass with its own style sheet names both: `CSS_PATH = ["dialog.tcss", "own.tcss"]`.
    """

    CSS_PATH: ClassVar[CSSPathType | None] = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close", id="dialog.close", tooltip="Close this dialog"),
    ]

    async def waited(self, worker: Worker[Any]) -> bool:
        """Wait for a worker of this dialog; returns False if the dialog was closed meanwhile."""
        with suppress(WorkerCancelled):
            await worker.wait()
        return self.is_current

    def action_copy_text(self) -> None:
        """Copy the selection; without one, Ctrl+C closes the dialog."""
        if self.get_selected_text():
            super().action_copy_text()
        else:
            self.call_later(self.run_action, "dismiss")
