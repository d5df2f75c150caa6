"""The first start: what the built-in model can do, and that there are better models."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from thoth.tui.screens.dialog import Dialog

_NOTICE = (
    " is the model that comes with Thoth. It is a demonstration: it reads short factual notes in plain sentences, but "
    "not your own papers.\n\n"
    "To work with your own documents, download a larger model once. Nothing that you absorb or ask leaves this machine."
)


class FirstRun(Dialog[bool]):
    """Introduces nano; closes with True to see the models, else with False."""

    AUTO_FOCUS = "Button"

    def compose(self) -> ComposeResult:
        """Yield the notice and the two buttons."""
        with VerticalScroll(classes="dialog") as box:
            box.border_title = "Welcome to Thoth"
            yield Static(Content.assemble(("nano", "bold"), _NOTICE))
            with Horizontal(classes="buttons"):
                yield Button("Show models", id="models", variant="primary")
                yield Button("Continue with nano", id="stay")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Close with the choice."""
        self.dismiss(event.button.id == "models")
