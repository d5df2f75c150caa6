"""The first start: what the built-in model can do, an example, and that there are better models."""

from __future__ import annotations

from typing import Literal

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from thoth.tui.screens.dialog import Dialog

Choice = Literal["try", "models", "stay"]

_NOTICE = (
    " is the model that comes with Thoth. It is a demonstration: it reads short notes in a small language made for it, "
    "but no real English, and not your own papers.\n\n"
    "The example absorbs three notes, asks four questions and compares one answer three ways. To work with your own "
    "documents, download a larger model once. Nothing that you absorb or ask leaves this machine."
)


class FirstRun(Dialog[Choice]):
    """Introduces nano; closes with what the user wants to do, or None."""

    AUTO_FOCUS = "Button"

    def compose(self) -> ComposeResult:
        """Yield the notice and the three buttons."""
        with VerticalScroll(classes="dialog") as box:
            box.border_title = "Welcome to Thoth"
            yield Static(Content.assemble(("nano", "bold"), _NOTICE))
            with Horizontal(classes="buttons"):
                yield Button("Try the example", id="try", variant="primary")
                yield Button("Show models", id="models")
                yield Button("Continue", id="stay")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Close with the choice."""
        match event.button.id:
            case "try" | "models" | "stay" as choice:
                self.dismiss(choice)
