"""What fits the text in the prompt: commands, names, a path to absorb."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from thoth.tui.widgets.facts import Facts

if TYPE_CHECKING:
    from thoth.tui.completing import Hint


class Hints(Facts):
    """Lines above the prompt; none where nothing is to be said."""

    DEFAULT_CSS = """
    Hints {
        display: none;
        height: auto;
        padding: 1 2 0 2;
        color: $text-muted;
        &.-any { display: block; }
    }
    """
    LABEL_STYLE: ClassVar = "bold"

    def show(self, hint: Hint) -> None:
        """Show what is known about the text."""
        self.set_class(bool(hint.rows), "-any")
        self.put(hint.rows)
