"""The way between the engine and the screens: requests go out on threads, what becomes of them comes back as messages.

Nothing here waits on the event loop's thread. Answers and loading share one thread, so a question that is asked
while the model loads waits for it; absorbing has the other. The engine itself takes turns between the two.
"""

from __future__ import annotations

import gc
import itertools
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from textual.message import Message

from thoth import ingest, settings
from thoth.errors import ModelError, Stopped, ThothError
from thoth.events import Absorbed, Answer, Event, Failed, Progress, Token
from thoth.models import registry
from thoth.retrieval.routing import Routing
from thoth.system import paths
from thoth.tui import crash
from thoth.tui.messages import (
    AbsorbDone,
    AbsorbFailed,
    AbsorbJob,
    AbsorbProgress,
    AbsorbQueued,
    AnswerDone,
    AnswerFailed,
    AnswerStarted,
    AnswerToken,
    LibraryChanged,
    ModelFailed,
    ModelLoading,
    ModelReady,
)

if TYPE_CHECKING:
    from thoth.ingest import Document
    from thoth.library.library import Library
    from thoth.library.records import StoredDocument
    from thoth.models.registry import Pair

__all__ = [
    "AbsorbDone",
    "AbsorbFailed",
    "AbsorbJob",
    "AbsorbProgress",
    "AbsorbQueued",
    "AnswerDone",
    "AnswerFailed",
    "AnswerStarted",
    "AnswerToken",
    "EngineLike",
    "LibraryChanged",
    "ModelFailed",
    "ModelLoading",
    "ModelReady",
    "Post",
    "Work",
]

Post = Callable[[Message], object]

_DEFAULT = Routing()


class EventsLike(Protocol):
    """What a request says; `close`, from any thread, stops it."""

    def __iter__(self) -> Iterator[Event]: ...

    def close(self) -> None:
        """Stop the request."""


class EngineLike(Protocol):
    """What the app needs of `thoth.engine.engine.Engine`."""

    @property
    def bundle_id(self) -> str | None:
        """Id of the loaded bundle."""

    def load(self, pair: Pair) -> EventsLike:
        """Load a pair."""

    def absorb(
        self,
        source: Document | Path | str,
        *,
        chunking: Literal["meaning", "tokens"] = "meaning",
        source_name: str | None = None,
        options: ingest.Options = ingest.DEFAULT,
    ) -> EventsLike:
        """Absorb a document."""

    def ask(
        self,
        messages: Sequence[dict[str, str]],
        documents: Sequence[StoredDocument] = (),
        context: Sequence[Document] = (),
        routing: Routing = _DEFAULT,
        max_tokens: int = 256,
    ) -> EventsLike:
        """Answer the last message."""

    def stop(self) -> None:
        """Stop everything."""

    def close(self) -> None:
        """Stop everything and drop the model."""


class _Request:
    """A request's way back to the screen, open up to its last message; the engine or the user may say that one."""

    def __init__(self, post: Post, failed: Callable[[ThothError], Message]) -> None:
        self._post = post
        self._failed = failed
        self._lock = threading.Lock()
        self._events: EventsLike | None = None
        self.closed = False

    def say(self, message: Message, *, last: bool = False) -> None:
        """Pass a message on, unless the request has ended."""
        with self._lock:
            if not self.closed:
                self.closed = last
                self._post(message)

    def fail(self, error: ThothError) -> None:
        """End it with an error."""
        # It is kept as long as it is shown, and the frames in a traceback hold arrays of the engine.
        error.__traceback__ = error.__cause__ = error.__context__ = None
        self.say(self._failed(error), last=True)

    def stop(self) -> bool:
        """End it as the user wants; returns whether there was anything left to end."""
        if self.closed:
            return False
        self.fail(Stopped("stopped"))
        if self._events is not None:
            self._events.close()
        return True

    def follow(self, events: EventsLike, message: Callable[[Event], Message | None]) -> None:
        """Pass on what the engine says, until the last of it or until it is stopped."""
        self._events = events
        if self.closed:  # before there was anything to close
            events.close()
            return
        for event in events:
            if self.closed:
                break
            if isinstance(event, Failed):
                self.fail(event.error)
            elif (said := message(event)) is not None:
                self.say(said, last=isinstance(event, Absorbed | Answer))
        events.close()


class Work:
    """All requests of one app.

    Args:
        library: shared with the engine.
        make_engine: called on a thread: it imports MLX.
        post: takes the messages, from any thread.
    """

    def __init__(self, library: Library, make_engine: Callable[[Library], EngineLike], post: Post) -> None:
        self.library = library
        self._make_engine = make_engine
        self._target = post
        self._closed = False
        self._engine: EngineLike | None = None
        self._pair: Pair | None = None
        self._failure: ThothError = ModelError("no model is loaded: choose one with /models")
        self._loading: Future[None] | None = None
        self._answers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="answers")
        self._absorbing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="absorbing")
        self._asked: dict[int, _Request] = {}
        self._jobs: dict[int, _Request] = {}
        self._private: set[str] = set()
        self._counter = itertools.count(1)

    @property
    def model(self) -> str | None:
        """Name of the pair that answers, None before it is loaded."""
        return self._pair.name if self._pair else None

    @property
    def pair(self) -> Pair | None:
        """The pair that answers."""
        return self._pair

    @property
    def failure(self) -> ThothError:
        """Why there is none."""
        return self._failure

    @property
    def bundle_id(self) -> str | None:
        """Id of the bundle of that pair."""
        return self._engine.bundle_id if self._engine and self._pair else None

    def load(self, name: str | None = None) -> None:
        """Load a pair, by default the one that the settings name; ends with `ModelReady` or `ModelFailed`."""
        request = _Request(self._post, lambda error: ModelFailed(name or "", error))
        self._loading = self._answers.submit(self._run, request, lambda: self._load(name, request))

    def ask(
        self,
        turn: int,
        messages: Sequence[dict[str, str]],
        documents: Sequence[StoredDocument] = (),
        routing: Routing = _DEFAULT,
        *,
        context: Sequence[Document] = (),
        max_tokens: int = 256,
        post: Post | None = None,
    ) -> None:
        """Answer the last message; ends with `AnswerDone` or `AnswerFailed`, each message with `turn` in it.

        Args:
            turn: whatever number the caller knows the request by.
            messages: the conversation.
            documents: known from the weights.
            routing: which of their chunks.
            context: documents whose texts are read.
            max_tokens: where the answer is cut off.
            post: takes the messages in place of the app's own target.
        """
        request = _Request(self._through(post) if post else self._post, lambda error: AnswerFailed(turn, error))

        def message(event: Event) -> Message | None:
            match event:
                case Token():
                    return AnswerToken(turn, event.text)
                case Answer():
                    return AnswerDone(turn, event)
            return None

        def answer() -> None:
            engine = self._loaded()
            request.say(AnswerStarted(turn))
            request.follow(engine.ask(messages, documents, context, routing, max_tokens), message)

        self._asked = {known: other for known, other in self._asked.items() if not other.closed}
        self._asked[turn] = request
        self._answers.submit(self._run, request, answer)

    def stop_answer(self, turn: int | None = None) -> bool:
        """End a question, or all that are being answered or waiting, with `AnswerFailed(Stopped)`.

        Returns:
            Whether there was anything to stop.
        """
        asked = [*self._asked] if turn is None else [turn]
        stopped = [self._asked[known].stop() for known in asked if known in self._asked]
        return any(stopped)

    def absorb(self, sources: Iterable[str], private: Collection[str] = ()) -> list[AbsorbJob]:
        """Absorb files and addresses one after the other; each ends with `AbsorbDone` or `AbsorbFailed`.

        Args:
            sources: paths and addresses.
            private: those addresses of this machine or its own network that the user allowed.

        Finished chunks of a job that fails or is cancelled are kept: the next absorb of it goes on there.
        """
        self._private |= set(private)
        return [self._queue(source) for source in sources]

    def update(self, documents: Iterable[StoredDocument]) -> list[AbsorbJob]:
        """Absorb documents again, from where they came or, if that is gone, from their stored text.

        What neither changed nor needs the bundle in use costs nothing. Else the new one takes the old one's name
        and place, and whether it is active.
        """
        return [self._queue(document.source or document.name, document) for document in documents]

    def cancel(self, job: AbsorbJob) -> bool:
        """End a job with `AbsorbFailed(Stopped)`; returns whether it was still going on."""
        return job.id in self._jobs and self._jobs[job.id].stop()

    def documents(self, *, active: bool | None = None) -> list[StoredDocument]:
        """Return the documents of the library, newest first. Reads the disk: call it on a thread."""
        return self.library.documents(active=active)

    def close(self) -> None:
        """Say nothing more, stop everything and let the threads end; returns at once."""
        self._closed = True
        for request in [*self._asked.values(), *self._jobs.values()]:
            request.closed = True
        self._absorbing.shutdown(wait=False, cancel_futures=True)
        if self._engine is not None:
            self._engine.stop()
        self._answers.submit(self._end)
        self._answers.shutdown(wait=False)

    def _end(self) -> None:
        if self._engine is not None:
            self._engine.close()

    def _post(self, message: Message) -> None:
        self._through(self._target)(message)

    def _through(self, post: Post) -> Post:
        def unless_closed(message: Message) -> None:
            if not self._closed:
                post(message)

        return unless_closed

    def _run(self, request: _Request, work: Callable[[], None]) -> None:
        """Do a piece of work on a thread; what it raises ends the request."""
        if request.closed:
            return
        try:
            work()
        except ThothError as error:
            request.fail(error)
        # The edge of a thread: an error that leaves it here would be seen by nobody.
        except Exception as error:
            request.fail(crash.explain(error))

    def _load(self, name: str | None, request: _Request) -> None:
        self._pair = None
        try:
            pair = registry.choose(settings.load(paths.settings(), model=name).model)
            request.say(ModelLoading(pair.name, None))
            if self._engine is None:
                self._engine = self._make_engine(self.library)
            for event in self._engine.load(pair):
                match event:
                    case Progress():
                        request.say(ModelLoading(pair.name, event))
                    case Failed():
                        raise event.error
        except ThothError as error:
            self._failure = error
            raise
        self._pair = pair
        # What the libraries made stays for good; walking it in every full collection held up typing for 0.2 s.
        gc.freeze()
        request.say(ModelReady(pair.name, self._engine.bundle_id), last=True)

    def _loaded(self) -> EngineLike:
        if self._engine is None or self._pair is None:
            raise self._failure
        return self._engine

    def _queue(self, source: str, old: StoredDocument | None = None) -> AbsorbJob:
        job = AbsorbJob(next(self._counter), source, old.name if old else _name(source))
        request = _Request(self._post, lambda error: AbsorbFailed(job, error))
        self._jobs = {known: other for known, other in self._jobs.items() if not other.closed}
        self._jobs[job.id] = request
        request.say(AbsorbQueued(job))
        self._absorbing.submit(self._run, request, lambda: self._absorb(job, request, old))
        return job

    def _absorb(self, job: AbsorbJob, request: _Request, old: StoredDocument | None) -> None:
        if self._loading is not None:
            wait([self._loading])
        source: Document | Path | str = job.source if ingest.is_address(job.source) else Path(job.source)
        if old and (old.source is None or (isinstance(source, Path) and not source.exists())):
            source = self.library.document(old.id)
        source_name = old.source if old else job.source
        chosen = settings.load(paths.settings())

        def message(event: Event) -> Message | None:
            match event:
                case Progress():
                    return AbsorbProgress(job, event)
                case Absorbed():
                    if old is None:
                        self.library.activate([event.document.id], True)
                    elif old.id != event.document.id:
                        self.library.supersede(old.id, event.document.id)
                    return AbsorbDone(job, event.document)
            return None

        try:
            options = ingest.Options(recognize=chosen.ocr == "on", allow_private=source in self._private)
            events = self._loaded().absorb(source, chunking=chosen.chunking, source_name=source_name, options=options)
            request.follow(events, message)
        finally:
            self._post(LibraryChanged())


def _name(source: str) -> str:
    """Return what to call a source before it is read."""
    if ingest.is_address(source):
        return ingest.shown(source.rstrip("/").rpartition("/")[2] or source)
    return ingest.shown(Path(source).name or source)
