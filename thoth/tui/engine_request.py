"""One request between the engine and a screen: events come in, messages go out, until either side ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from textual.message import Message

from thoth import ingest
from thoth.engine.sampling import GREEDY, Sampling
from thoth.errors import InternalError, Stopped, ThothError
from thoth.events import Event, Failed, is_last
from thoth.retrieval.routing import Routing
from thoth.system import crash_log

if TYPE_CHECKING:
    from thoth.ingest import Document
    from thoth.library.records import StoredDocument
    from thoth.models.registry import Pair

Post = Callable[[Message], object]
Listener = Callable[[Event], object]

_DEFAULT = Routing()


class RequestLike(Protocol):
    """What the app needs of `thoth.engine.request.Request`."""

    def close(self) -> None:
        """Stop the request; from any thread."""


class EngineLike(Protocol):
    """What the app needs of `thoth.engine.engine.Engine`."""

    @property
    def bundle_id(self) -> str | None:
        """Id of the loaded bundle."""

    def load(self, pair: Pair, *, listener: Listener) -> RequestLike:
        """Load a pair."""

    def absorb(
        self,
        source: Document | Path | str,
        *,
        chunking: Literal["meaning", "tokens"] = "meaning",
        source_name: str | None = None,
        options: ingest.Options = ingest.DEFAULT,
        of_chat: bool = False,
        listener: Listener,
    ) -> RequestLike:
        """Absorb a document."""

    def count_tokens(self, text: str) -> int:
        """Return the length of a text in tokens."""

    def ask(
        self,
        messages: Sequence[Mapping[str, Any]],
        documents: Sequence[StoredDocument] = (),
        context: Sequence[Document] = (),
        routing: Routing = _DEFAULT,
        max_tokens: int = 256,
        *,
        sampling: Sampling = GREEDY,
        listener: Listener,
    ) -> RequestLike:
        """Answer the last message."""

    def has_tools(self) -> bool:
        """Tell whether the loaded base can call tools."""

    def stop(self) -> None:
        """Stop everything."""

    def close(self) -> None:
        """Stop everything and drop the model."""


class Request:
    """A request until its last message, which either the engine or the user causes.

    Args:
        post: takes the messages.
        failed: makes the message for an error.
    """

    def __init__(self, post: Post, failed: Callable[[ThothError], Message]) -> None:
        self._post = post
        self._failed = failed
        self._lock = threading.Lock()
        self._engine_side: RequestLike | None = None
        self.ended = False
        self._done = threading.Event()

    def say(self, message: Message, *, last: bool = False) -> None:
        """Post a message, unless the request has ended."""
        with self._lock:
            if not self.ended:
                self.ended = last
                self._post(message)

    def fail(self, error: Exception) -> None:
        """End the request with an error."""
        if isinstance(error, InternalError) and isinstance(error.__cause__, Exception):
            error = error.__cause__
        shown_error = error if isinstance(error, ThothError) else ThothError(crash_log.keep(error))
        # The error is kept while it is shown, and the frames in a traceback hold arrays of the engine.
        shown_error.__traceback__ = shown_error.__cause__ = shown_error.__context__ = None
        self.say(self._failed(shown_error), last=True)

    def send(self, start: Callable[[Listener], RequestLike], message: Callable[[Event], Message | None]) -> None:
        """Send the request to the engine.

        Args:
            start: sends it, with the listener it gets.
            message: what to post for an event; called on one of the engine's threads.
        """

        def listen(event: Event) -> None:
            if isinstance(event, Failed):
                self.fail(event.error)
            elif not self.ended:
                try:
                    if (said := message(event)) is not None:
                        self.say(said, last=is_last(event))
                except Exception as error:
                    self.fail(error)
            if is_last(event):
                self._done.set()

        if self.ended:
            self._done.set()
            return
        self._engine_side = start(listen)
        if self.ended:  # stopped before there was anything to close
            self._engine_side.close()

    def wait(self) -> None:
        """Wait until the engine is done with the request, which may be after its end for the user."""
        self._done.wait()

    def stop(self) -> bool:
        """End the request for the user at once; returns False if it had ended already."""
        if self.ended:
            return False
        self.fail(Stopped("stopped"))
        if self._engine_side is not None:
            self._engine_side.close()
        return True

    def abandon(self) -> None:
        """Post nothing more and wait no longer."""
        self.ended = True
        self._done.set()
