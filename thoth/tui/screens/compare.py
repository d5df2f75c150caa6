"""Ctrl+T: one question answered in three ways, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static

from thoth.actions import ask
from thoth.errors import ThothError
from thoth.ingest import Document
from thoth.tui.messages import AnswerDone, AnswerFailed, AnswerToken
from thoth.tui.screens.dialog import Dialog
from thoth.tui.widgets.way_panel import WayPanel

if TYPE_CHECKING:
    from thoth.engine.prompt import Message
    from thoth.library.records import StoredDocument
    from thoth.retrieval.routing import Routing
    from thoth.tui.engine_client import EngineClient

_TITLES = ("From the weights", "Documents in context", "Without the documents")
_WEIGHTS, _CONTEXT, _WITHOUT = range(3)


class CompareScreen(Dialog[None]):
    """Answers a question in three ways; closing it stops the rest.

    Args:
        client: sends the questions.
        messages: the conversation; the last message is the question.
        documents: documents to answer from.
        routing: which of their chunks are attached for the first way.
        max_tokens: length limit of each answer.
    """

    CSS_PATH: ClassVar = ["dialog.tcss", "compare.tcss"]
    HORIZONTAL_BREAKPOINTS = [(0, "-stacked"), (100, "-beside")]  # noqa: RUF012

    def __init__(
        self,
        client: EngineClient,
        messages: Sequence[Message],
        documents: Sequence[StoredDocument],
        routing: Routing,
        max_tokens: int,
    ) -> None:
        super().__init__()
        self._client = client
        self._messages = messages
        self._documents = documents
        self._routing = routing
        self._max_tokens = max_tokens

    def compose(self) -> ComposeResult:
        """Yield the question and a panel for each way."""
        with Container(classes="dialog -full") as box:
            box.border_title = "One question, three ways"
            box.border_subtitle = "Esc stops and closes"
            yield Static(self._messages[-1]["content"], classes="question", markup=False)
            with Container(classes="ways"):
                for title in _TITLES:
                    yield WayPanel(title)

    def on_mount(self) -> None:
        """Begin with the weights, and read the texts in the meantime."""
        self._ask(_WEIGHTS, ask.from_weights(self._documents, self._routing))
        self.call_after_refresh(self._begin_next)
        self._read_texts()

    def on_unmount(self) -> None:
        """Stop the ways that are not answered yet."""
        for way in range(len(_TITLES)):
            self._client.stop_answer(_turn(way))

    @work(thread=True)
    def _read_texts(self) -> None:
        try:
            texts = [self._client.library.document(document.id) for document in self._documents]
        except ThothError as error:
            self.post_message(AnswerFailed(_turn(_CONTEXT), error))
            texts = None
        self.app.call_from_thread(self._ask_others, texts)

    def _ask_others(self, texts: list[Document] | None) -> None:
        if self.is_attached:
            if texts is not None:
                self._ask(_CONTEXT, ask.from_context(texts))
            self._ask(_WITHOUT, ask.WITHOUT)

    def _ask(self, panel: int, way: ask.Way) -> None:
        self._client.ask(
            _turn(panel),
            self._messages,
            way.documents,
            way.routing,
            context=way.context,
            max_tokens=self._max_tokens,
            post=self.post_message,
        )

    @on(AnswerToken)
    def _add(self, message: AnswerToken) -> None:
        self._panel(message.turn).add(message.text)

    @on(AnswerDone)
    def _finish(self, message: AnswerDone) -> None:
        self._panel(message.turn).finish(message.answer)
        self._begin_next()

    @on(AnswerFailed)
    def _fail(self, message: AnswerFailed) -> None:
        self._panel(message.turn).fail(message.error)
        self._begin_next()

    def _begin_next(self) -> None:
        """Mark the way that is answered now: the engine answers one question at a time, in their order."""
        if waiting := [panel for panel in self.query(WayPanel) if not panel.ended]:
            waiting[0].begin()

    def _panel(self, turn: int) -> WayPanel:
        return self.query(WayPanel)[_turn(turn)]


def _turn(way: int) -> int:
    """Return the request number of a way, or the way of a number; the chat's requests count up from 0."""
    return -1 - way
