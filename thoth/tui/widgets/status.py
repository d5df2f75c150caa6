"""The line at the bottom: state, model, cost of the last answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.reactive import reactive

from thoth.tui import figures
from thoth.tui.widgets.line import Line

if TYPE_CHECKING:
    from thoth.events import Stats


class StatusLine(Line):
    """Facts in the order of their importance; those that do not fit are left out.

    Attributes:
        state: what the app is doing.
        model: name of the pair, empty if none is loaded.
        active: number of documents used for answers.
        stats: cost of the last answer.
        context: how full the context is.
        scope: what answers come from, where that is not what it usually is.
        served: where other programs are served, empty if they are not.
    """

    state: reactive[str] = reactive("")
    model: reactive[str] = reactive("")
    active: reactive[int] = reactive(0)
    stats: reactive[Stats | None] = reactive["Stats | None"](None)

    context: reactive[str] = reactive("")
    scope: reactive[str] = reactive("")
    served: reactive[str] = reactive("")

    def render(self) -> Content:
        """Return as many facts as fit."""
        line = Content()
        for text, style in self._facts():
            longer = line + Content("  ") if line else line
            longer = longer + Content.styled(text, style)
            if line and longer.cell_length > max(self.content_size.width, 1):
                break
            line = longer
        return line

    def _facts(self) -> list[tuple[str, str]]:
        tokens = self.stats.document_tokens_in_context if self.stats else 0
        counted = figures.count(tokens, "document token")
        facts = [
            (self.state, "bold $text"),
            (f"{counted} in context", "$text-success" if tokens == 0 else "$text-warning"),
            (self.scope, "$text-warning"),
            (figures.count(self.active, "active document"), ""),
            (self.served, ""),
            (self.model, ""),
            (self.context, ""),
        ]
        if self.stats is not None:
            facts.append((f"{self.stats.tokens_per_second:.0f} tokens/s", ""))
            facts.append((f"{figures.size(self.stats.peak_memory_bytes)} peak memory", ""))
        return [(text, style) for text, style in facts if text]
