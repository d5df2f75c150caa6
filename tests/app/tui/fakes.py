"""An engine that says what a test tells it to, slowly or at once, on the threads the app runs it on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from thoth import ingest
from thoth.engine.sampling import GREEDY, Sampling
from thoth.errors import Stopped, ThothError
from thoth.events import Absorbed, Answer, Call, Event, Failed, Passage, Progress, Stats, Token
from thoth.ingest import Document, chunks
from thoth.library.library import Library
from thoth.library.records import StoredDocument, document_id
from thoth.retrieval.routing import Routing

BUNDLE = "bundle-of-the-fake"
RANK = 2
FEATURES = 4


def stats(**changes: Any) -> Stats:
    """What the fake's answers cost, by default."""
    values: dict[str, Any] = {
        "document_tokens_in_context": 0,
        "prompt_tokens": 12,
        "generated_tokens": 7,
        "absorb_seconds": 0.0,
        "time_to_first_token_seconds": 0.05,
        "tokens_per_second": 123.0,
        "active_documents": 0,
        "rank": 0,
        "peak_memory_bytes": 64 << 20,
    }
    return Stats(**(values | changes))


@dataclass
class Asked:
    """A question as the engine got it."""

    messages: list[dict[str, str]]
    documents: list[StoredDocument]
    context: list[Document]
    routing: Routing
    max_tokens: int
    sampling: Sampling = GREEDY


@dataclass
class FakeEngine:
    """An engine with scripted events.

    Attributes:
        answers: the texts of the answers, one a question; the last one serves all further questions. A function
            gets the question as it was asked.
        sources: passages of every answer.
        load_error: a model that fails to load.
        answer_error: comes after the pieces of the answer.
        held: pieces are reported as progress and come together at the end, as before a second look.
        tools: its base can call tools.
        steps: chunks of every document.
        loss: of the base on every document, too high to read it; None: it is not measured.
        gates: by stage ("load", "answer", "absorb"): where set, a step of that stage waits for its release.
        asked: what came in.
    """

    library: Library
    answers: list[str | Callable[[Asked], str | list[Call]]] = field(default_factory=lambda: ["It is **blue**."])
    sources: tuple[Passage, ...] = ()
    load_error: ThothError | None = None
    answer_error: ThothError | None = None
    held: bool = False
    tools: bool = False
    steps: int = 3
    loss: float | None = None
    gates: dict[str, threading.Semaphore] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    absorbed: list[str] = field(default_factory=list)
    closed: bool = False
    bundle_id: str | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    _threads: dict[str, ThreadPoolExecutor] = field(default_factory=dict)

    def hold(self, stage: str) -> None:
        """Make a stage wait for `release` before each of its steps."""
        self.gates[stage] = threading.Semaphore(0)

    def release(self, stage: str, steps: int = 1) -> None:
        """Let so many steps of a stage go on."""
        self.gates[stage].release(steps)

    def _start(
        self, kind: str, events: Callable[[Stream], Iterator[Event]], listener: Callable[[Event], object] | None
    ) -> Stream:
        """Without a listener, the stream is iterated over; with one, requests of a kind follow one another."""
        stream = Stream(self, events)
        if listener is not None:
            thread = self._threads.setdefault(kind, ThreadPoolExecutor(max_workers=1, thread_name_prefix=kind))
            thread.submit(stream.push, listener)
        return stream

    def load(self, pair: Any, *, listener: Callable[[Event], object] | None = None) -> Stream:
        return self._start("mlx", lambda stream: self._load(pair, stream), listener)

    def _load(self, pair: Any, stream: Stream) -> Iterator[Event]:
        yield Progress("load", 0, 1)
        stream.wait("load")
        if self.load_error:
            yield Failed(self.load_error)
            return
        self.loaded.append(pair.name)
        self.bundle_id = BUNDLE
        yield Progress("load", 1, 1)

    def ask(
        self,
        messages: Sequence[dict[str, str]],
        documents: Sequence[StoredDocument] = (),
        context: Sequence[Document] = (),
        routing: Routing = Routing(),  # noqa: B008
        max_tokens: int = 256,
        *,
        sampling: Sampling = GREEDY,
        tools: Sequence[dict[str, Any]] = (),
        calls: str = "auto",
        listener: Callable[[Event], object] | None = None,
    ) -> Stream:
        asked = Asked([*messages], [*documents], [*context], routing, max_tokens, sampling)
        self.asked.append(asked)
        return self._start("mlx", lambda stream: self._ask(asked, stream), listener)

    def _ask(self, asked: Asked, stream: Stream) -> Iterator[Event]:
        script = self.answers[min(len(self.asked), len(self.answers)) - 1]
        text = script if isinstance(script, str) else script(asked)
        if not isinstance(text, str):
            yield Answer("", stats(), calls=tuple(text))
            return
        for piece in text.splitlines(keepends=True) if len(text) > 2000 else _words(text):
            stream.wait("answer")
            yield Progress("check", 1, 100) if self.held else Token(piece)
        stream.wait("answer")
        if self.held:
            yield Token(text)
        if self.answer_error:
            yield Failed(self.answer_error)
            return
        active = len(asked.documents)
        spent = sum(len(document.text.split()) for document in asked.context)
        cost = stats(active_documents=active, rank=RANK * active, document_tokens_in_context=spent)
        yield Answer(text, cost, self.sources)

    def absorb(
        self,
        source: Document | Path | str,
        *,
        chunking: str = "meaning",
        source_name: str | None = None,
        options: ingest.Options = ingest.DEFAULT,
        of_chat: bool = False,
        listener: Callable[[Event], object] | None = None,
    ) -> Stream:
        return self._start(
            "reading", lambda stream: self._absorb(source, chunking, source_name, options, of_chat, stream), listener
        )

    def reads_system(self) -> bool:
        return False

    def has_tools(self) -> bool:
        return self.tools

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def document_id(self, document: Document, chunking: str = "meaning") -> str:
        return document_id(document.sha256, BUNDLE, chunking)

    def _absorb(
        self,
        source: Document | Path | str,
        chunking: str,
        source_name: str | None,
        options: ingest.Options,
        of_chat: bool,
        stream: Stream,
    ) -> Iterator[Event]:
        yield Progress("read", 0, 1)
        try:
            document = source if isinstance(source, Document) else ingest.read(source, options)
        except ThothError as error:
            yield Failed(error)
            return
        self.absorbed.append(document.name)
        parts = _parts(document, self.steps)
        stored = self.library.begin(document, BUNDLE, chunking, parts, source_name, of_chat=of_chat)
        if stored.complete:
            yield Absorbed(stored)
            return
        yield Progress("absorb", 0, len(parts), pages=document.pages)
        if self.loss is not None:
            self.library.set_loss(stored.id, self.loss, False)
            yield Progress("absorb", 0, len(parts), document=self.library.get(stored.id))
        missing = self.library.missing(stored.id)
        for done, number in enumerate(missing, len(parts) - len(missing) + 1):
            stream.wait("absorb")
            stored = self.library.store(stored.id, [number], _adapters(), _feature(number))
            yield Progress("absorb", done, len(parts), 100.0, float(len(parts) - done), document.pages)
        yield Absorbed(stored)

    def stop(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        self.stopped.set()
        self.closed = True
        for thread in self._threads.values():
            thread.shutdown()


class Stream(Iterator[Event]):
    """The events of one request, as `thoth.engine.request.Request`."""

    def __init__(self, engine: FakeEngine, events: Callable[[Stream], Iterator[Event]]) -> None:
        self._engine = engine
        self._stopped = threading.Event()
        self._events = events(self)

    def __next__(self) -> Event:
        try:
            return next(self._events)
        except Stopped as error:
            self._events = iter(())
            return Failed(error)

    def push(self, listener: Callable[[Event], object]) -> None:
        """Give all events to a listener."""
        for event in self:
            listener(event)

    def close(self) -> None:
        self._stopped.set()

    def wait(self, stage: str) -> None:
        """Wait for the release of a stage that is held."""
        gate = self._engine.gates.get(stage)
        while gate and not gate.acquire(timeout=0.01) and not self._ended:
            pass
        if self._ended:
            raise Stopped("stopped")

    @property
    def _ended(self) -> bool:
        return self._stopped.is_set() or self._engine.stopped.is_set()


def _words(text: str) -> Iterable[str]:
    for at, word in enumerate(text.split(" ")):
        yield word if at == 0 else f" {word}"


def _parts(document: Document, number: int) -> list[chunks.Chunk]:
    """Cut a text into at most so many chunks of whole words."""
    words = document.text.split()
    size = -(-len(words) // number)
    texts = [" ".join(words[at : at + size]) for at in range(0, len(words), size)]
    starts = [sum(len(text) + 1 for text in texts[:at]) for at in range(len(texts))]
    pages = (1, document.pages) if document.pages else None
    return [chunks.Chunk([1, 2, 3], text, pages, (), start) for text, start in zip(texts, starts, strict=True)]


def _adapters() -> Any:
    """One chunk's adapter of one layer with one module."""
    import mlx.core as mx

    from mlx_hypernet.adapter import ChunkAdapters

    pair, bias = mx.ones((1, 1, RANK, 3)), mx.ones((1, RANK, 3))
    return ChunkAdapters({"down_proj": pair}, {"down_proj": pair}, {"down_proj": bias}, {"down_proj": bias}, 1.0)


def _feature(number: int) -> np.ndarray:
    return np.eye(1, FEATURES, number % FEATURES, dtype=np.float32)
