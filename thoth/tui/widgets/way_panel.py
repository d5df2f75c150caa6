"""One column of the comparison: how it was answered, what that cost, the answer as it comes."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Markdown, Static
from textual.widgets.markdown import MarkdownStream

from thoth.errors import ThothError
from thoth.events import Answer, Stats
from thoth.tui import figures


class WayPanel(Vertical):
    """Shows one request for an answer, from waiting to its end.

    Attributes:
        ended: whether it was answered, or failed.

    Args:
        title: the way of answering.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._stream: MarkdownStream | None = None
        self.ended = False

    def compose(self) -> ComposeResult:
        """Yield title, figures and answer."""
        yield Static(self._title, classes="title", markup=False)
        yield Static("waiting", classes="figures", markup=False)
        with VerticalScroll(classes="answer"):
            yield Markdown(open_links=False)

    def begin(self) -> None:
        """The engine has begun with it."""
        self._say("answering")

    async def add(self, text: str) -> None:
        """Append a piece of the answer."""
        if self._stream is None:
            self._stream = Markdown.get_stream(self.query_one(Markdown))
        await self._stream.write(text)

    async def finish(self, answer: Answer) -> None:
        """Show the whole answer and what it cost."""
        await self._end_stream()
        # A stream loses code fences at its end; the whole text brings them back.
        await self.query_one(Markdown).update(answer.text)
        self._say(summary(answer.stats))
        self.ended = True

    async def fail(self, error: ThothError) -> None:
        """Show why there is no answer, below what there is of it."""
        await self._end_stream()
        self.add_class("-failed")
        self._say(str(error))
        self.ended = True

    async def _end_stream(self) -> None:
        if self._stream is not None:
            await self._stream.stop()
            self._stream = None

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
