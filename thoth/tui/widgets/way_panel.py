"""One column of the comparison: how it was answered, what that cost, the answer as it comes."""

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
    """Shows one request for an answer, from waiting to its end.

    Attributes:
        answer: as much of it as there is.
        ended: whether it was answered, or failed.

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
        """The engine has begun with it."""
        self._say("answering")

    def add(self, text: str) -> None:
        """Append a piece of the answer."""
        self._show(self.answer + text, "answering")

    def finish(self, answer: Answer) -> None:
        """Show the whole answer and what it cost."""
        self._show(answer.text, "done")
        self._say(summary(answer.stats))
        self.ended = True

    def fail(self, error: ThothError) -> None:
        """Show why there is no answer, above what there is of it."""
        self._show(self.answer, "done")
        self.add_class("-failed")
        self._say(str(error))
        self.ended = True

    def _show(self, answer: str, state: State) -> None:
        self.answer = answer
        self.query_one(Transcript).put(Turn(0, "", answer, state))  # the question stands above all three

    def _say(self, text: str) -> None:
        self.query_one(".figures", Static).update(text)


def summary(stats: Stats) -> str:
    """Return the figures to compare by, one a line."""
    lines = [
        figures.count(stats.document_tokens_in_context, "document token") + " in context",
        f"first token after {figures.seconds(stats.time_to_first_token_seconds)}",
    ]
    if stats.tokens_per_second:
        lines.append(f"{stats.tokens_per_second:.1f} tokens a second")
    return "\n".join(lines)
