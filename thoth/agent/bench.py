"""What a tool works with: engine, library, the chat, and a way to be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from thoth import ingest
from thoth.actions import chats, requests
from thoth.errors import Stopped
from thoth.events import Answer, Event
from thoth.ingest import Document, Options
from thoth.library.records import StoredDocument
from thoth.settings import Settings

if TYPE_CHECKING:
    from thoth.chats.sessions import Sessions
    from thoth.engine.engine import Engine
    from thoth.engine.request import Request
    from thoth.library.library import Library


class Closable(Protocol):
    """Something that runs until it is closed: a request to the engine, a call to a server."""

    def close(self) -> None:
        """Stop it, from any thread."""


class Stopper:
    """Stops what an agent is doing, from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._running: list[Closable] = []
        self._lock = threading.Lock()

    @property
    def stopped(self) -> bool:
        """Whether it was stopped."""
        return self._event.is_set()

    def stop(self) -> None:
        """Stop; what is running is closed."""
        self._event.set()
        with self._lock:
            running = [*self._running]
        for one in running:
            one.close()

    def check(self) -> None:
        """Raise `Stopped` if it was stopped."""
        if self.stopped:
            raise Stopped("stopped")

    @contextmanager
    def holding(self, running: Closable) -> Iterator[None]:
        """Close something inside the block when the agent is stopped."""
        with self._lock:
            self._running.append(running)
        try:
            if self.stopped:
                running.close()
            yield
        finally:
            with self._lock:
                self._running.remove(running)


@dataclass
class Bench:
    """What the tools of one turn work with.

    Attributes:
        engine: with a pair loaded.
        library: of the engine.
        settings: in force.
        sessions: the chats; None for a chat that is not stored.
        chat: id of the chat.
        given: documents that the question is answered from, beside those of the chat.
        own: ids of documents that this turn absorbs for the chat.
        private: addresses of this machine or its own network that a person permitted.
        stopper: stops the tool.
        progress: called with the events of what a tool absorbs.
    """

    engine: Engine
    library: Library
    settings: Settings
    sessions: Sessions | None
    chat: str
    given: Sequence[StoredDocument]
    own: list[str] = field(default_factory=list)
    private: set[str] = field(default_factory=set)
    stopper: Stopper = field(default_factory=Stopper)
    progress: Callable[[Event], object] = requests.ignore

    def documents(self) -> list[StoredDocument]:
        """Return the documents to answer from now: those that are there, and those of the chat."""
        chat = chats.documents(self.library, self.sessions, self.chat, self.engine.bundle_id) if self.sessions else []
        own = [document for document in self.library.known(self.own) if document.absorbed]
        found = [*self.library.known([document.id for document in self.given]), *chat, *own]
        return list({document.id: document for document in found}.values())

    def options(self, address: str = "") -> Options:
        """Return how a file or an address is read."""
        return Options(recognize=self.settings.ocr == "on", allow_private=address in self.private)

    def read(self, address: str) -> Document:
        """Read a web page; a private address only where a person permitted it.

        Raises:
            DocumentError, NoTextError: As `ingest.read`.
            Stopped: The agent was stopped.
        """
        pages = ingest.reading(address, self.options(address), lambda: self.stopper.stopped)
        while True:
            try:
                next(pages)
            except StopIteration as end:
                document: Document = end.value
                return document

    def absorbed(self, request: Request) -> StoredDocument:
        """Wait for a document; raises `ThothError` where it cannot be absorbed, `Stopped` where it is stopped."""
        with self.stopper.holding(request):
            return requests.document(request, self.progress)

    def answered(self, request: Request, listener: requests.Listener = requests.ignore) -> Answer:
        """Wait for an answer; raises as `absorbed`."""
        with self.stopper.holding(request):
            return requests.answer(request, listener)

    def cut(self, text: str, tokens: int | None = None) -> str:
        """Return the beginning of a text, by words, as long as a result in the context may be.

        Args:
            text: any text.
            tokens: the length limit; None: as the settings say.
        """
        limit = self.settings.agent_absorb_over if tokens is None else tokens
        while (length := self.engine.count_tokens(text)) > limit:
            end = max(len(text) * limit // length - 8, 0)
            words = text[:end].rsplit(None, 1)
            text = words[0] if words else ""  # nothing but spaces
        return text
