"""The terminal app's way to the engine: requests go out, and the engine's events come back as messages.

Nothing here waits on the event loop's thread. Messages are posted from the thread on which the engine reports an
event. A question that is asked while a model loads waits for that model; documents are absorbed one after the other.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.message import Message

from thoth import ingest, settings
from thoth.actions import absorb, memory, update
from thoth.engine.sampling import GREEDY, Sampling
from thoth.errors import ModelError, Stopped, ThothError
from thoth.events import Absorbed, Event, Progress, is_last
from thoth.ingest import shown
from thoth.models import registry
from thoth.retrieval.routing import Routing
from thoth.retrieval.summary import summary
from thoth.system import crash_log, paths
from thoth.tui.engine_request import EngineLike, Listener, Post, Request, RequestLike
from thoth.tui.messages import (
    AbsorbDone,
    AbsorbFailed,
    AbsorbJob,
    AbsorbProgress,
    AnswerFailed,
    ChatNotRemembered,
    ChatRemembered,
    LibraryChanged,
    ModelFailed,
    ModelLoading,
    ModelReady,
    of_answer,
)
from thoth.tui.suggester import Suggester

if TYPE_CHECKING:
    from thoth.actions.absorb import Absorption
    from thoth.actions.sources import Source
    from thoth.chats.sessions import Sessions, Turn
    from thoth.engine.engine import Engine
    from thoth.ingest import Document
    from thoth.library.library import Library
    from thoth.library.records import StoredDocument
    from thoth.models.registry import Pair

_DEFAULT = Routing()


class EngineClient:
    """All requests of one app.

    Args:
        library: shared with the engine.
        make_engine: called on a thread, because it imports MLX.
        post: takes the messages, from any thread.
    """

    def __init__(self, library: Library, make_engine: Callable[[Library], EngineLike], post: Post) -> None:
        self.library = library
        self._make_engine = make_engine
        self._target = post
        self._closed = False
        self.has_tools = False  # whether the loaded base can call tools
        self._engine: EngineLike | None = None
        self._pair: Pair | None = None
        self._failure: ThothError = ModelError("no model is loaded; choose one with /models")
        self._loaded: Future[EngineLike] = Future()
        self._loaded.set_exception(self._failure)
        self._loading_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loading")
        self._absorbing_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="absorbing")
        self._memory_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="memory")
        self._asked: dict[int, Request] = {}
        self._jobs: dict[int, Request] = {}
        self._counter = itertools.count(1)
        self._suggester = Suggester(library, self.current_engine, lambda: self._pair, self._is_idle, self._post)

    @property
    def pair(self) -> Pair | None:
        """The pair that answers, None until it is loaded."""
        return self._pair

    @property
    def bundle_id(self) -> str | None:
        """Id of the bundle of that pair."""
        return self._engine.bundle_id if self._engine and self._pair else None

    def current_engine(self) -> EngineLike:
        """The engine, for others that use it beside this client.

        Raises:
            ThothError: No model is loaded.
        """
        if self._engine is None or self._pair is None:
            raise self._failure
        return self._engine

    @property
    def failure(self) -> ThothError:
        """Why no model is loaded."""
        return self._failure

    # Models

    def load(self, name: str | None = None) -> None:
        """Load a pair, by default the one in the settings; ends with `ModelReady` or `ModelFailed`."""
        loaded = self._loaded = Future()
        self._loading_thread.submit(self._load, name, loaded)

    def _load(self, name: str | None, loaded: Future[EngineLike]) -> None:
        self._pair = None

        def failed(error: ThothError) -> Message:
            self._failure = error
            return ModelFailed(name or "", error)

        request = Request(self._post, failed)
        try:
            pair = registry.choose(settings.load(paths.settings(), model=name).model)
            request.say(ModelLoading(pair.name))
            engine = self._engine = self._engine or self._make_engine(self.library)
        except Exception as error:
            request.fail(error)
            loaded.set_exception(self._failure)
            return

        def message(event: Event) -> Message | None:
            if not is_last(event):
                return None
            self._pair = pair
            # What the libraries made stays for good; each full collection spent 0.2 s on it, which delayed typing.
            gc.freeze()
            return ModelReady(pair.name, engine.bundle_id)

        request.send(lambda listener: engine.load(pair, listener=listener), message)
        request.wait()
        if self._pair is pair:
            self._look_at_tools(engine)
            loaded.set_result(engine)
        else:
            loaded.set_exception(self._failure)

    def _look_at_tools(self, engine: EngineLike) -> None:
        try:
            self.has_tools = engine.has_tools()
        except ThothError:
            self.has_tools = False

    # Questions

    def ask(
        self,
        turn: int,
        messages: Sequence[Mapping[str, Any]],
        documents: Sequence[StoredDocument] = (),
        routing: Routing = _DEFAULT,
        *,
        context: Sequence[Document] = (),
        max_tokens: int = 256,
        sampling: Sampling = GREEDY,
        post: Post | None = None,
        start: Callable[[EngineLike, Listener], RequestLike | None] | None = None,
        after: Future[None] | None = None,
    ) -> None:
        """Answer the last message; ends with `AnswerDone` or `AnswerFailed`, each message with `turn` in it.

        Args:
            turn: a number by which the caller knows the request.
            messages: the conversation.
            documents: answered from the weights.
            routing: which of their chunks are attached.
            context: documents whose texts are read.
            max_tokens: length limit of the answer.
            sampling: how its tokens are drawn.
            post: takes the messages in place of the app's own target.
            start: begins another request in place of the question, an agent's; None: it begins none.
            after: the question waits for it: that it is stored.
        """
        request = Request(self._through(post) if post else self._post, lambda error: AnswerFailed(turn, error))

        def send(loaded: Future[EngineLike]) -> None:
            def ask(engine: EngineLike, listener: Listener) -> RequestLike:
                return engine.ask(
                    messages, documents, context, routing, max_tokens, sampling=sampling, listener=listener
                )

            try:
                engine = loaded.result()
                request.send(
                    lambda listener: (start and start(engine, listener)) or ask(engine, listener),
                    partial(of_answer, turn),
                )
            # The edge of a thread: an error that escaped here would be lost.
            except Exception as error:
                request.fail(error)

        self._asked = {known: other for known, other in self._asked.items() if not other.ended}
        self._asked[turn] = request
        self._suggester.interrupt()
        loaded = self._loaded
        (after or loaded).add_done_callback(lambda _: loaded.add_done_callback(send))

    def stop_answer(self, turn: int | None = None) -> bool:
        """End a question, or all questions, with `AnswerFailed(Stopped)`; returns False if there was none."""
        asked = [*self._asked] if turn is None else [turn]
        stopped = [self._asked[known].stop() for known in asked if known in self._asked]
        return any(stopped)

    # Documents

    def absorb(self, source: Source) -> AbsorbJob:
        """Absorb a document; ends with `AbsorbDone` or `AbsorbFailed`.

        Finished chunks of a job that fails or is cancelled are kept: the next absorb resumes after them.
        """
        job = AbsorbJob(next(self._counter), source.place, source.label)

        def prepare(_: EngineLike) -> Absorption:
            return absorb.new(source, settings.load(paths.settings()).chunking)

        return self._queue(job, prepare, options=source.options)

    def update(self, document: StoredDocument, *, fetch: bool, allow_private: bool = False) -> AbsorbJob:
        """Absorb a document again if its source changed, if another model absorbed it, or if it is incomplete.

        Args:
            document: its new version takes its name and place, and is active if it is.
            fetch: fetch a web page again.
            allow_private: the user allowed it to be fetched from this machine or its own network.
        """
        job = AbsorbJob(next(self._counter), document.source or document.name, shown(document.name))

        def find(engine: EngineLike) -> Absorption | None:
            found = update.find(
                self.library,
                document,
                engine.bundle_id or "",
                fetch=fetch,
                ask=lambda _: allow_private,
                recognize=settings.load(paths.settings()).ocr == "on",
            )
            return found.absorption if found else None

        return self._queue(job, find, old=document)

    def cancel(self, job: AbsorbJob) -> bool:
        """End a job with `AbsorbFailed(Stopped)`; returns False if it had ended already."""
        return job.id in self._jobs and self._jobs[job.id].stop()

    def documents(self) -> list[StoredDocument]:
        """Return the documents of the library, newest first. Reads the disk: call it on a thread."""
        return self.library.documents()

    def _queue(
        self,
        job: AbsorbJob,
        prepare: Callable[[EngineLike], Absorption | None],
        *,
        old: StoredDocument | None = None,
        options: ingest.Options = ingest.DEFAULT,
    ) -> AbsorbJob:
        request = Request(self._post, lambda error: AbsorbFailed(job, error))
        self._jobs = {known: other for known, other in self._jobs.items() if not other.ended}
        self._jobs[job.id] = request
        self._absorbing_thread.submit(self._absorb, job, request, prepare, old, options)
        return job

    def _absorb(
        self,
        job: AbsorbJob,
        request: Request,
        prepare: Callable[[EngineLike], Absorption | None],
        old: StoredDocument | None,
        options: ingest.Options,
    ) -> None:
        """Absorb one document, on the absorbing thread: the next one begins when this one has ended."""
        if request.ended:
            return
        try:
            engine = self._loaded.result()
            task = prepare(engine)
            options = replace(options, recognize=settings.load(paths.settings()).ocr == "on")
        except Exception as error:
            request.fail(error)
            return
        if task is None:
            assert old is not None
            request.say(AbsorbDone(job, old, is_new=False), last=True)
            return
        started, is_new = time.monotonic(), False

        def message(event: Event) -> Message | None:
            nonlocal is_new
            match event:
                case Progress():
                    is_new |= event.stage == "absorb"
                    return AbsorbProgress(job, event)
                case Absorbed():
                    document = task.finish(self.library, event.document)
                    seconds = time.monotonic() - started
                    if not is_new:
                        return AbsorbDone(job, document, False, seconds)
                    self._suggester.suggest(document)
                    return AbsorbDone(job, document, True, seconds, summary(self.library.document(document.id)))
            return None

        request.send(
            lambda listener: engine.absorb(
                task.document,
                chunking=task.chunking,
                source_name=task.source_name,
                options=options,
                listener=listener,
            ),
            message,
        )
        request.wait()
        self._post(LibraryChanged())

    # Chats

    def remember(self, sessions: Sessions, chat: str, turns: Sequence[Turn], window: int) -> None:
        """Absorb the turns of a chat that no longer fit; ends with `ChatRemembered` or `ChatNotRemembered`.

        Args:
            sessions: has the chat.
            chat: its id.
            turns: all of them.
            window: tokens that turns may take in the context.
        """
        self._memory_thread.submit(self._remember, sessions, chat, turns, window)

    def _remember(self, sessions: Sessions, chat: str, turns: Sequence[Turn], window: int) -> None:
        try:
            engine = cast("Engine", self._loaded.result())
            self._post(ChatRemembered(chat, memory.known(self.library, sessions, self.bundle_id, chat, turns)))
            closed = lambda: self._closed  # noqa: E731
            remembered = memory.absorb(engine, self.library, sessions, chat, turns, window, stopped=closed)
            self._post(ChatRemembered(chat, remembered))
        except Stopped:
            pass
        # The edge of a thread: an error that escaped here would be lost.
        except Exception as error:
            known = error if isinstance(error, ThothError) else ThothError(crash_log.keep(error))
            self._post(ChatNotRemembered(chat, known))

    # The end

    def close(self) -> None:
        """Post nothing more, stop everything and let the threads end; returns at once."""
        self._closed = True
        for request in [*self._asked.values(), *self._jobs.values()]:
            request.abandon()
        self._suggester.close()
        for thread in (self._absorbing_thread, self._memory_thread):
            thread.shutdown(wait=False, cancel_futures=True)
        if self._engine is not None:
            self._engine.stop()
        self._loading_thread.submit(self._end)
        self._loading_thread.shutdown(wait=False)

    def _is_idle(self) -> bool:
        return all(request.ended for request in [*self._asked.values(), *self._jobs.values()])

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
