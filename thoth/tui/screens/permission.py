"""Asks a person whether a tool call may run, with its exact arguments."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Static

from thoth.agent.permissions import Decision, Wish
from thoth.tui.screens.dialog import Dialog


class PermissionDialog(Dialog[Decision | None]):
    """Closes with the decision; Escape refuses once.

    Args:
        wish: the call and what it needs.
    """

    CSS_PATH: ClassVar = ["dialog.tcss", "permission.tcss"]
    AUTO_FOCUS = "#no"  # so that Enter is safe
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "decide('once')", "Once", id="permission.once", tooltip="Permit this call"),
        Binding("c", "decide('chat')", "This chat", id="permission.chat", tooltip="Permit such calls in this chat"),
        Binding("a", "decide('always')", "Always", id="permission.always", tooltip="Permit such calls from now on"),
        Binding("n", "decide('never')", "Never", id="permission.never", tooltip="Refuse such calls from now on"),
        Binding(
            "down", "scroll_arguments(1)", "Down", id="permission.down", show=False, tooltip="Scroll the arguments"
        ),
        Binding("up", "scroll_arguments(-1)", "Up", id="permission.up", show=False, tooltip="Scroll the arguments up"),
    ]

    # It opens while somebody types the next question: so long, letters decide nothing.
    IGNORES_SECONDS: ClassVar[float] = 0.8

    def __init__(self, wish: Wish) -> None:
        super().__init__()
        self._wish = wish
        self._opened = 0.0

    def compose(self) -> ComposeResult:
        """Yield the call, what it needs, and the choices; Refuse has the focus."""
        with VerticalScroll(classes="dialog", can_focus=False) as box:
            box.border_title = "Permission"
            box.border_subtitle = "Up and Down scroll, Esc refuses"
            yield Static(f"{self._wish.tool} wants to {self._wish.purpose}.", classes="heading", markup=False)
            # However long they are, the heading and the choices stay in view.
            with VerticalScroll(id="arguments", can_focus=False):
                for line in self._wish.lines():
                    yield Static(line, classes="argument", markup=False)
            if not self._wish.is_kept:
                yield Static("You typed this address. It is asked for each time.", classes="note", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Once (O)", id="once", variant="primary")
                if self._wish.is_kept:
                    yield Button("This chat (C)", id="chat")
                    yield Button("Always (A)", id="always")
                    yield Button("Never (N)", id="never", variant="error")
                yield Button("Refuse", id="no")

    def on_mount(self) -> None:
        """Note when it opened."""
        self._opened = time.monotonic()

    def action_scroll_arguments(self, lines: int) -> None:
        """Scroll the arguments."""
        self.query_one("#arguments").scroll_relative(y=lines, animate=False)

    def action_decide(self, decision: Decision) -> None:
        """Close with a decision, if it is one of the choices and the key was meant for this dialog."""
        if self.query(f"#{decision}") and time.monotonic() - self._opened >= self.IGNORES_SECONDS:
            self.dismiss(decision)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Close with the choice."""
        self.dismiss(event.button.id)  # type: ignore[arg-type]
