"""Questions about new documents, written on a thread while nothing is asked or absorbed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

from thoth import settings
from thoth.actions import requests, suggest
from thoth.errors import Stopped, ThothError
from thoth.system import paths
from thoth.tui.messages import QuestionsWritten

if TYPE_CHECKING:
    from thoth.engine.engine import Engine
    from thoth.events import Answer
    from thoth.library.library import Library
    from thoth.library.records import StoredDocument
    from thoth.models.registry import Pair
    from thoth.tui.engine_request import EngineLike, Post, RequestLike

_LOOK_AGAIN_SECONDS = 0.2


class Suggester:
    """Writes questions, one document after the other; a question of the user's interrupts it, and it begins again.

    Args:
        library: keeps them.
        engine: returns the engine; raises a `ThothError` while no model is loaded.
        pair: returns the pair that is loaded.
        idle: tells whether nothing is asked or absorbed.
        post: gets `QuestionsWritten`, from the thread.
    """

    def __init__(
        self,
        library: Library,
        engine: Callable[[], EngineLike],
        pair: Callable[[], Pair | None],
        idle: Callable[[], bool],
        post: Post,
    ) -> None:
        self._library, self._engine, self._pair, self._idle, self._post = library, engine, pair, idle, post
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="suggesting")
        self._closed = threading.Event()
        self._request: RequestLike | None = None

    def suggest(self, document: StoredDocument) -> None:
        """Write questions about a document, after those about earlier ones, if the settings and the model allow it."""
        if not self._closed.is_set():
            self._thread.submit(self._suggest, document)

    def interrupt(self) -> None:
        """Make room for a question of the user's."""
        if (request := self._request) is not None:
            request.close()

    def close(self) -> None:
        """Stop; returns at once."""
        self._closed.set()
        self._thread.shutdown(wait=False, cancel_futures=True)
        self.interrupt()

    def _suggest(self, document: StoredDocument) -> None:
        pair = self._pair()
        try:
            chosen = settings.load(paths.settings())
            if pair is None or document.readable is False or not suggest.wanted(chosen, pair):
                return
            questions = suggest.write(self._ask, self._library, document, chosen.routing())
            self._library.set_questions(document.id, questions)
        except ThothError:  # the document or the model is gone: there is nothing to suggest
            return
        if questions:
            self._post(QuestionsWritten(document, questions))

    def _ask(self, *arguments: Any, **options: Any) -> Answer:
        while True:
            while not self._idle():
                if self._closed.wait(_LOOK_AGAIN_SECONDS):
                    raise Stopped("stopped")
            request = cast("Engine", self._engine()).ask(*arguments, **options)
            self._request = request
            if self._closed.is_set():
                request.close()
            try:
                return requests.answer(request)
            except Stopped:
                if self._closed.is_set():
                    raise
            finally:
                self._request = None
