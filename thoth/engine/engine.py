"""The one thread that owns MLX: requests in, events out.

MLX's streams are thread-local, so the model, its adapters and its generators are made, used and dropped on
one worker thread. `load`, `absorb` and `ask` return at once with the events of their request; the command line, and
any other view, is a loop over them.

The worker takes turns: a model or a question is one turn, a document is one turn for each batch of its chunks, and
what is not done queues again behind whatever came meanwhile. So a question is answered while a book is absorbed. What
needs no model, reading a document and cutting it, is done on the thread that reads the events.
"""

from __future__ import annotations

import queue
import sys
import threading
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from thoth.engine import absorbing
from thoth.engine.absorbing import Absorber, Cutter, Prepared
from thoth.engine.answering import Answerer, Question
from thoth.engine.loading import LoadedPair, is_out_of_memory, load_pair
from thoth.engine.prompt import Message
from thoth.errors import ResourceError, Stopped, ThothError
from thoth.events import Absorbed, Event, Failed, Progress
from thoth.ingest import Document
from thoth.library.library import Library
from thoth.library.records import StoredDocument, document_id
from thoth.models.registry import Pair
from thoth.retrieval.routing import Routing

if TYPE_CHECKING:
    from thoth.ingest.chunks import Chunking

_KV_CACHE_BYTES = 512 << 20
_DEFAULT_ROUTING = Routing()

_Turns = Generator[None, None, None]


class _Request:
    """A request in progress: its way back to whoever listens, and their way to stop it."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.stop = threading.Event()
        self.turn: Future[None] | None = None

    def check(self) -> None:
        """Raise `Stopped` if the request was stopped; called at every turn, layer and token."""
        if self.stop.is_set():
            raise Stopped("stopped")


class Events(Iterator[Event]):
    """The events of one request, to be read on one thread, whichever it is; to drop them stops the request."""

    def __init__(self, request: _Request, events: Iterator[Event]) -> None:
        self._request, self._events = request, events

    def __next__(self) -> Event:
        return next(self._events)

    def close(self) -> None:
        """Stop this request alone, from any thread: if it is not done, its events end with `Failed(Stopped)`."""
        self._request.stop.set()

    def __del__(self) -> None:
        self.close()


class Engine:
    """Loads a pair, absorbs documents and answers questions.

    A context manager. Its methods may be called from any thread.

    Args:
        library: where absorbed documents are kept.
        kv_cache_bytes: most memory for key/value caches of earlier questions.
    """

    def __init__(self, library: Library, kv_cache_bytes: int = _KV_CACHE_BYTES) -> None:
        self._library, self._kv_cache_bytes = library, kv_cache_bytes
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlx")
        self._closed = False
        self._requests: weakref.WeakSet[_Request] = weakref.WeakSet()
        self._lock = threading.Lock()  # of the three above
        self._reading = threading.Lock()
        # Changed on the MLX thread only:
        self._pair: LoadedPair | None = None
        self._cutter: Cutter | None = None
        self._answerer: Answerer | None = None
        self._absorber = Absorber(library)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def bundle_id(self) -> str | None:
        """Id of the loaded bundle, None where no pair is loaded."""
        pair = self._pair
        return None if pair is None else pair.bundle.id

    def load(self, pair: Pair) -> Events:
        """Load a pair in place of the one before. Ends with `Progress("load", 1, 1)` or `Failed`.

        A document that is being absorbed goes on where the bundle is the same, and ends with `Failed` where not.
        """
        return self._start(lambda request: self._load(pair, request))

    def absorb(
        self, source: Document | Path | str, *, chunking: Chunking = "meaning", source_name: str | None = None
    ) -> Events:
        """Turn a document into adapters, or find it in the library. Ends with `Absorbed` or `Failed`.

        It is read when somebody begins to read the events. Chunks that are absorbed stay in the library whatever
        happens: the next time it goes on from there.

        Args:
            source: as `ingest.read` takes it, or a document that has been read.
            chunking: how it is cut.
            source_name: where a `Document` came from: an absolute path or an address.
        """
        request = self._register()
        return Events(request, self._read_and_absorb(source, chunking, source_name, request))

    def ask(
        self,
        messages: Sequence[Message],
        documents: Sequence[StoredDocument] = (),
        context: Sequence[Document] = (),
        routing: Routing = _DEFAULT_ROUTING,
        max_tokens: int = 256,
    ) -> Events:
        """Answer the last message. Ends with `Answer` or `Failed`.

        Args:
            messages: the conversation, each `{"role": ..., "content": ...}`; the first and the last are the user's.
            documents: known from the weights: adapters of their chunks are attached, none of their text is read.
            context: known from reading: their texts are put in front of the first message.
            routing: which chunks of `documents` are attached, and how many are read besides.
            max_tokens: where the answer is cut off.
        """
        question = Question(messages, documents, context, routing, max_tokens)
        return self._start(lambda request: self._ask(question, request))

    def document_id(self, document: Document, chunking: Chunking = "meaning") -> str:
        """Return the id the library has, or would have, for a document; a pair must be loaded."""
        return document_id(document.sha256, self._loaded().bundle.id, chunking)

    def stop(self) -> None:
        """Stop what is going on and what is waiting: those requests end with `Failed(Stopped)`."""
        with self._lock:
            for request in self._requests:
                request.stop.set()

    def close(self) -> None:
        """Stop everything, drop the model and end the thread."""
        self.stop()
        with self._lock:
            if not self._closed:
                self._closed = True
                self._thread.submit(self._end)
        self._thread.shutdown()

    # On the threads that ask and read the events

    def _register(self) -> _Request:
        request = _Request()
        with self._lock:
            self._requests.add(request)
        return request

    def _start(self, work: Callable[[_Request], None]) -> Events:
        request = self._register()
        try:
            self._queue(request, _in_one_turn(lambda: work(request)))
        except Stopped as error:
            request.events.put(Failed(error))
            request.events.put(None)
        return Events(request, self._follow(request))

    def _queue(self, request: _Request, turns: _Turns) -> None:
        request.turn = self._on_thread(self._turn, request, turns)

    def _on_thread(self, work: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Let something be done on the MLX thread, behind what waits there already."""
        with self._lock:
            if self._closed:
                raise Stopped("stopped")
            return self._thread.submit(work, *arguments)

    def _follow(self, request: _Request) -> Iterator[Event]:
        try:
            while (event := request.events.get()) is not None:
                yield event
            if request.turn is not None:
                request.turn.result()  # an error nobody foresaw surfaces where the events are read
        finally:
            request.stop.set()

    def _read_and_absorb(
        self, source: Document | Path | str, chunking: Chunking, source_name: str | None, request: _Request
    ) -> Iterator[Event]:
        yield Progress("read", 0, 1)
        try:
            with self._reading:  # one at a time, for a large PDF takes a lot of memory
                request.check()
                document, origin = absorbing.read(source)
                cutter = self._cutter or self._on_thread(self._make_cutter).result()
                request.check()
                prepared = absorbing.prepare(self._library, document, cutter, chunking, source_name or origin)
        except (ThothError, MemoryError) as error:
            yield _failure(error)
            return
        yield Progress("read", 1, 1, pages=document.pages)
        if prepared.stored.complete:
            yield Absorbed(prepared.stored)
            return
        del document  # its text and its blocks: what is absorbed are the ids
        try:
            self._queue(request, self._absorb(prepared, cutter.bundle, request))
        except Stopped as error:
            yield Failed(error)
            return
        yield from self._follow(request)

    # On the MLX thread

    def _turn(self, request: _Request, turns: _Turns) -> None:
        """Take one turn of a request, and queue the next."""
        done = True
        try:
            request.check()
            next(turns)
            self._queue(request, turns)
            done = False
        except StopIteration:
            pass
        except (ThothError, MemoryError, RuntimeError) as error:
            request.events.put(_failure(error))
        finally:
            if done:
                turns.close()
                request.events.put(None)

    def _load(self, pair: Pair, request: _Request) -> None:
        self._drop_pair()
        request.events.put(Progress("load", 0, 1))
        self._pair = load_pair(pair)
        self._answerer = Answerer(self._pair, self._library, self._kv_cache_bytes)
        request.events.put(Progress("load", 1, 1))

    def _absorb(self, prepared: Prepared, bundle: str, request: _Request) -> _Turns:
        def pair() -> LoadedPair:
            if (loaded := self._loaded()).bundle.id != bundle:
                name = prepared.stored.name
                raise ThothError(f"another model was loaded while {name} was being absorbed: absorb it again")
            return loaded

        with closing(self._absorber.turns(prepared, pair, request.stop.is_set)) as turns:
            for event in turns:
                if event is not None:
                    request.events.put(event)
                yield

    def _ask(self, question: Question, request: _Request) -> None:
        self._loaded()
        assert self._answerer is not None
        seconds = sum((self._absorber.seconds.get(document.id, 0.0) for document in question.documents), 0.0)
        request.events.put(self._answerer.answer(question, request.events.put, request.check, seconds))

    def _loaded(self) -> LoadedPair:
        if (pair := self._pair) is None:
            raise ThothError("no model is loaded: load one first")
        return pair

    def _make_cutter(self) -> Cutter:
        self._cutter = self._cutter or Cutter.of(self._loaded())
        return self._cutter

    def _drop_pair(self) -> None:
        self._pair = self._cutter = self._answerer = None

    def _end(self) -> None:
        self._drop_pair()
        if mlx := sys.modules.get("mlx.core"):
            mlx.clear_streams()  # a thread that ends with open streams can abort the process


def _in_one_turn(work: Callable[[], None]) -> _Turns:
    work()
    yield from ()


def _failure(error: ThothError | MemoryError | RuntimeError) -> Failed:
    """What is said of an error; an error that nobody foresaw is raised again."""
    if isinstance(error, ThothError):
        return Failed(error)
    if not is_out_of_memory(error):
        raise error
    return Failed(ResourceError("not enough memory: close other programs, or use a smaller model or document"))
