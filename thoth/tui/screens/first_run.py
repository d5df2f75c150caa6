"""The first start: what the built-in model is, and that there are better ones."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from thoth.tui.screens.dialog import Dialog

_NOTICE = (
    " is in use, the model that comes with Thoth. It is a demonstration: it reads short factual notes in plain "
    "sentences, and little else; of your own papers it will understand next to nothing.\n\n"
    "Everything around it is real. With a larger model, downloaded once, the same program works on documents of your "
    "own. Nothing you absorb or ask leaves this machine."
)


class FirstRun(Dialog[bool]):
    """Introduces nano; closes with True to see the models, else with False."""

    AUTO_FOCUS = "Button"

    def compose(self) -> ComposeResult:
        """Yield the notice and the two ways on."""
        with VerticalScroll(classes="dialog") as box:
            box.border_title = "Welcome to Thoth"
            yield Static(Content.assemble(("nano", "bold"), _NOTICE))
            with Horizontal(classes="buttons"):
                yield Button("See the models", id="models", variant="primary")
                yield Button("Go on with nano", id="stay")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Close with the choice."""
        self.dismiss(event.button.id == "models")
