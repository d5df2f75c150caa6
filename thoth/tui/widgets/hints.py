"""What fits the text in the prompt: commands, names, a path to absorb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

if TYPE_CHECKING:
    from thoth.tui.completing import Hint


class Hints(Static):
    """Lines above the prompt; none where nothing is to be said."""

    DEFAULT_CSS = """
    Hints {
        display: none;
        height: auto;
        padding: 0 2;
        color: $text-muted;
        &.-any { display: block; }
    }
    """

    def show(self, hint: Hint) -> None:
        """Show what is known about the text."""
        width = max((len(left) for left, _ in hint.rows), default=0)
        lines = [Content.assemble((f"{left:<{width}}  ", "bold"), right) for left, right in hint.rows]
        self.set_class(bool(lines), "-any")
        self.update(Content("\n").join(lines))
