"""One column of the comparison: the way, its cost, and the answer as it is generated."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from thoth.chats.sessions import State, Turn
from thoth.errors import ThothError
from thoth.events import Answer, Stats
from thoth.tui import figures
from thoth.tui.widgets.transcript import Transcript


class WayPanel(Vertical):
    """Shows one answer, from waiting to its end.

    Attributes:
        answer: the text so far.
        ended: whether it is complete or failed.

    Args:
        title: the way of answering.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self.answer = ""
        self.ended = False

    def compose(self) -> ComposeResult:
        """Yield title, figures and answer."""
        yield Static(self._title, classes="title", markup=False)
        yield Static("waiting", classes="figures", markup=False)
        yield Transcript()

    def begin(self) -> None:
        """Show that this way is being answered."""
        self._say("answering")

    def add(self, text: str) -> None:
        """Append a piece of the answer."""
        self._show(self.answer + text, "answering")

    def finish(self, answer: Answer) -> None:
        """Show the complete answer and its cost."""
        self._show(answer.text, "done")
        self._say(summary(answer.stats))
        self.ended = True

    def fail(self, error: ThothError) -> None:
        """Show the error above the text so far."""
        self._show(self.answer, "done")
        self.add_class("-failed")
        self._say(str(error))
        self.ended = True

    def _show(self, answer: str, state: State) -> None:
        self.answer = answer
        self.query_one(Transcript).put(Turn(0, "", answer, state))  # the question is above all three panels

    def _say(self, text: str) -> None:
        self.query_one(".figures", Static).update(text)


def summary(stats: Stats) -> str:
    """Return the figures to compare, one per line."""
    lines = [
        figures.count(stats.document_tokens_in_context, "document token") + " in context",
        f"first token after {figures.seconds(stats.time_to_first_token_seconds)}",
    ]
    if stats.tokens_per_second:
        lines.append(f"{stats.tokens_per_second:.1f} tokens per second")
    return "\n".join(lines)
