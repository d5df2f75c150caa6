"""A model that cannot be loaded: the reason, and what the user can do."""

from __future__ import annotations

from typing import Literal

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Static

from thoth.errors import ThothError
from thoth.tui.screens.dialog import Dialog

Choice = Literal["retry", "models"]


class ModelFailed(Dialog[Choice | None]):
    """Shows why a model did not load; the app stays usable.

    Args:
        pair: name of the pair.
        error: the reason.
    """

    AUTO_FOCUS = "Button"

    def __init__(self, pair: str, error: ThothError) -> None:
        super().__init__()
        self._pair = pair
        self._error = error

    def compose(self) -> ComposeResult:
        """Yield the reason and the buttons."""
        with VerticalScroll(classes="dialog") as box:
            box.border_title = "Cannot load the model"
            yield Static(self._pair, classes="heading", markup=False)
            yield Static(str(self._error), classes="error", markup=False)
            yield Static("Library, chats and settings work without a model; questions need one.", classes="note")
            with Horizontal(classes="buttons"):
                yield Button("Choose another", id="models", variant="primary")
                yield Button("Try again", id="retry")
                yield Button("Continue without", id="stay")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Close with the choice; None continues without a model."""
        choices: dict[str | None, Choice] = {"models": "models", "retry": "retry"}
        self.dismiss(choices.get(event.button.id))
