"""Short messages to the user: in a corner of the screen, or in the chat."""

from __future__ import annotations

from typing import Protocol

from textual.notifications import SeverityLevel
from textual.screen import Screen

NO_QUESTION = "No question yet"


class Say(Protocol):
    """Shows a notice."""

    def __call__(self, text: str, severity: SeverityLevel = "information") -> None:
        """Show a text, never read as markup."""


class Tell(Protocol):
    """Writes into the chat, below its last turn."""

    def __call__(self, line: str, quote: str = "") -> None:
        """Write a line and, below it, words of a document."""


def on(screen: Screen[None]) -> Say:
    """Return what shows notices on a screen."""

    def say(text: str, severity: SeverityLevel = "information") -> None:
        screen.notify(text, severity=severity, markup=False)

    return say
