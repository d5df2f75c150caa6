"""The one thread that owns MLX: requests in, events out.

MLX's streams are thread-local, so the model, its adapters and its generators are made, used and dropped on
one worker thread. `load`, `absorb` and `ask` return at once with an iterator of events; the command line, and
any other view, is a loop over it.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

from thoth import ingest, prompt
from thoth.errors import ResourceError, Stopped, ThothError
from thoth.events import Absorbed, Answer, Event, Failed, Progress, Stats, Token
from thoth.ingest import Document
from thoth.library import Library, StoredDocument, document_id
from thoth.loading import LoadedPair, is_out_of_memory, load_pair
from thoth.models import Pair
from thoth.prompt import Message


class _Request:
    """A request in progress: its way back to whoever listens, and their way to stop it."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.stop = threading.Event()

    def check(self) -> None:
        """Raise `Stopped` if the request was stopped; called at every chunk and token."""
        if self.stop.is_set():
            raise Stopped("stopped")


class Engine:
    """Loads a pair, absorbs documents and answers questions, one request after the other.

    A context manager. Read each iterator of events to its end, or drop it: dropping stops the request.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlx")
        self._requests: set[_Request] = set()
        # Touched on the thread only:
        self._pair: LoadedPair | None = None
        self._absorb_seconds: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, pair: Pair) -> Iterator[Event]:
        """Load a pair in place of the one before. Ends with `Progress("load", 1, 1)` or `Failed`."""
        return self._start(lambda request: self._load(pair, request))

    def absorb(self, source: Document | Path) -> Iterator[Event]:
        """Turn a document into an adapter, or find it in the library. Ends with `Absorbed` or `Failed`."""
        return self._start(lambda request: self._absorb(source, request))

    def ask(
        self,
        messages: Sequence[Message],
        documents: Sequence[StoredDocument] = (),
        context: Sequence[Document] = (),
        max_tokens: int = 256,
    ) -> Iterator[Event]:
        """Answer the last message. Ends with `Answer` or `Failed`.

        Args:
            messages: the conversation, each `{"role": ..., "content": ...}`; the first one is the user's.
            documents: known from the weights: their adapters are attached, none of their text is read.
            context: known from reading: their texts are put in front of the first message.
            max_tokens: where the answer is cut off.
        """
        return self._start(lambda request: self._ask(messages, documents, context, max_tokens, request))

    def document_id(self, document: Document) -> str:
        """Return the id the library has, or would have, for a document; a pair must be loaded."""
        return document_id(document, self._loaded().bundle.id)

    def stop(self) -> None:
        """Stop what is going on and what is waiting: those requests end with `Failed(Stopped)`."""
        for request in tuple(self._requests):
            request.stop.set()

    def close(self) -> None:
        """Stop everything, drop the model and end the thread."""
        self.stop()
        self._thread.submit(self._end)
        self._thread.shutdown()

    def _start(self, work: Callable[[_Request], None]) -> Iterator[Event]:
        request = _Request()
        self._requests.add(request)
        return self._events(request, self._thread.submit(self._serve, request, work))

    def _events(self, request: _Request, served: Future[None]) -> Iterator[Event]:
        try:
            while (event := request.events.get()) is not None:
                yield event
            served.result()  # an error nobody foresaw surfaces where the events are read
        finally:
            request.stop.set()

    def _serve(self, request: _Request, work: Callable[[_Request], None]) -> None:
        try:
            request.check()
            work(request)
        except ThothError as error:
            request.events.put(Failed(error))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            remedy = "close other programs, or use a smaller model or document"
            request.events.put(Failed(ResourceError(f"not enough memory: {remedy}")))
        finally:
            self._requests.discard(request)
            request.events.put(None)

    def _load(self, pair: Pair, request: _Request) -> None:
        self._forget()
        request.events.put(Progress("load", 0, 1))
        self._pair = load_pair(pair)
        request.events.put(Progress("load", 1, 1))

    def _forget(self) -> None:
        self._pair = None

    def _end(self) -> None:
        self._forget()
        if mlx := sys.modules.get("mlx.core"):
            mlx.clear_streams()  # a thread that ends with open streams can abort the process

    def _loaded(self) -> LoadedPair:
        if self._pair is None:
            raise ThothError("no model is loaded: load one first")
        return self._pair

    def _absorb(self, source: Document | Path, request: _Request) -> None:
        from mlx_hypernet import absorb, chunking

        pair, started = self._loaded(), time.perf_counter()
        document = source if isinstance(source, Document) else ingest.read(source)
        stored = self._library.find(document, pair.bundle.id)
        if stored is None:
            config = pair.bundle.config
            ids = chunking.document_ids(pair.tokenizer, document.text)
            chunks = chunking.split(ids, config.max_chunk_tokens, config.prefix_ids, config.suffix_ids)
            try:
                adapters = absorb.absorb(
                    pair.model,
                    pair.bundle,
                    chunks,
                    on_progress=lambda done, total: request.events.put(Progress("absorb", done, total)),
                    should_stop=request.stop.is_set,
                )
            except absorb.Stopped as error:
                raise Stopped("stopped") from error
            stored = self._library.store(document, pair.bundle.id, adapters, len(ids), pair.model)
            self._absorb_seconds[stored.id] = time.perf_counter() - started
        request.events.put(Absorbed(stored))

    def _ask(
        self,
        messages: Sequence[Message],
        documents: Sequence[StoredDocument],
        context: Sequence[Document],
        max_tokens: int,
        request: _Request,
    ) -> None:
        import mlx.core as mx
        from mlx_lm import stream_generate

        pair, asked = self._loaded(), time.perf_counter()
        asking = prompt.build(pair, messages, context)
        text, first_at = "", 0.0
        with self._attached(pair, documents) as rank:
            parts = stream_generate(
                pair.model,
                pair.tokenizer,
                asking.ids,
                max_tokens=min(max_tokens, asking.room),
                prompt_progress_callback=lambda *_: request.check(),
            )
            with closing(parts):
                for part in parts:
                    request.check()
                    first_at = first_at or time.perf_counter()
                    piece = part.text if text else part.text.lstrip()  # some templates begin with a space
                    if piece:
                        request.events.put(Token(piece))
                    text += piece
        later = part.generation_tokens - 1
        stats = Stats(
            document_tokens_in_context=asking.document_tokens,
            prompt_tokens=len(asking.ids),
            generated_tokens=later if part.finish_reason == "stop" else later + 1,
            absorb_seconds=sum((self._absorb_seconds.get(document.id, 0.0) for document in documents), 0.0),
            time_to_first_token_seconds=first_at - asked,
            tokens_per_second=later / (time.perf_counter() - first_at) if later else 0.0,
            active_documents=len(documents),
            rank=rank,
            peak_memory_bytes=mx.get_peak_memory(),
        )
        request.events.put(Answer(text.strip(), stats))

    @contextmanager
    def _attached(self, pair: LoadedPair, documents: Sequence[StoredDocument]) -> Iterator[int]:
        """Attach the adapter of `documents`, if any, inside the block; gives its rank."""
        if not documents:
            yield 0
            return
        from mlx_hypernet import adapter, live

        composed = adapter.compose([self._library.chunks(document) for document in documents])
        live.attach(pair.model, composed)
        try:
            yield composed.rank
        finally:
            live.detach(pair.model)
