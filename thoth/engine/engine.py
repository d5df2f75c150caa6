"""The one thread that owns MLX: requests in, events out.

MLX's streams are thread-local, so the model, its adapters and its generators are made, used and dropped on one worker
thread. `load`, `absorb` and `ask` return at once; a listener is called with the events of its request.

The worker takes turns: a model is one turn, a document is one for each batch of its chunks, and one token for each
question in flight is one. What is not done queues again after newer requests, so questions are answered together, and
while a book is absorbed. Reading and cutting a document need no model and happen on a second thread.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from thoth import ingest
from thoth.engine import absorbing, prompt, second_look
from thoth.engine.absorbing import Absorber, Cutter, Prepared
from thoth.engine.answering import Answerer
from thoth.engine.background import BackgroundThread
from thoth.engine.grammar import Choosing
from thoth.engine.loading import LoadedPair, load_pair
from thoth.engine.prompt import Message
from thoth.engine.reply import Question
from thoth.engine.request import Listener, Request, Task, failure
from thoth.engine.sampling import GREEDY, Processor, Sampling
from thoth.errors import Stopped, ThothError
from thoth.events import Absorbed, Event, Failed, Progress, is_last
from thoth.ingest import Document, Options
from thoth.library.records import StoredDocument, document_id
from thoth.models.registry import Pair
from thoth.retrieval.routing import Routing

if TYPE_CHECKING:
    from thoth.ingest.chunks import Chunking
    from thoth.library.library import Library

_KV_CACHE_BYTES = 512 << 20
# While questions are answered, a batch of chunks is absorbed as often as this.
_ABSORB_EVERY_SECONDS = 1.0
_DEFAULT_ROUTING = Routing()

_Turns = Generator[Event | None, None, None]


class Engine:
    """Loads a pair, absorbs documents and answers questions.

    A context manager. Its methods may be called from any thread.

    `load`, `absorb` and `ask` take a listener, which is called with each event on one of the engine's threads: it must
    return soon and must not raise. Without one, iterate over the request that they return.

    Args:
        library: where absorbed documents are kept.
        kv_cache_bytes: memory limit of the key/value caches of earlier questions.
    """

    def __init__(self, library: Library, kv_cache_bytes: int = _KV_CACHE_BYTES) -> None:
        self._library, self._kv_cache_bytes = library, kv_cache_bytes
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlx")
        self._closed = False
        self._tasks: weakref.WeakSet[Task] = weakref.WeakSet()
        self._lock = threading.Lock()  # of the three above
        self._reader = BackgroundThread("reading")
        # Changed on the MLX thread only:
        self._pair: LoadedPair | None = None
        self._cutter: Cutter | None = None
        self._answerer: Answerer | None = None
        self._absorber = Absorber(library)
        self._absorbed_at = 0.0
        self._waiting_loads = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def bundle_id(self) -> str | None:
        """Id of the loaded bundle, None while no pair is loaded."""
        pair = self._pair
        return None if pair is None else pair.bundle.id

    def load(self, pair: Pair, *, listener: Listener | None = None) -> Request:
        """Load a pair in place of the current one. Ends with `Progress("load", 1, 1)` or `Failed`.

        A document that is being absorbed continues if the bundle is the same, and ends with `Failed` if it is not.
        """
        request = self._request(listener)
        self._queue(request.task, self._load(pair, request.task))
        return request

    def absorb(
        self,
        source: Document | Path | str,
        *,
        chunking: Chunking = "meaning",
        source_name: str | None = None,
        options: Options = ingest.DEFAULT,
        of_chat: bool = False,
        listener: Listener | None = None,
    ) -> Request:
        """Turn a document into adapters, or find it in the library. Ends with `Absorbed` or `Failed`.

        Absorbed chunks always stay in the library: the next absorb of this document resumes after them.

        Args:
            source: a source as `ingest.read` takes it, or a document that has been read.
            chunking: how the document is cut.
            source_name: where a `Document` came from: an absolute path or an address.
            options: what a person decided about reading the document.
            of_chat: a new document belongs to a chat, and is not listed.
            listener: called with each event.
        """
        request = self._request(listener)
        task = request.task  # alone: what waits here must not keep the caller's side alive
        try:
            self._reader.submit(lambda: self._read(task, source, chunking, source_name, options, of_chat))
        except Stopped as error:
            task.tell(Failed(error))
        return request

    def ask(
        self,
        messages: Sequence[Message],
        documents: Sequence[StoredDocument] = (),
        context: Sequence[Document] = (),
        routing: Routing = _DEFAULT_ROUTING,
        max_tokens: int = 256,
        *,
        sampling: Sampling = GREEDY,
        constrain: Callable[[Any], Processor] | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
        calls: Choosing = "auto",
        listener: Listener | None = None,
    ) -> Request:
        """Answer the last message. Ends with `Answer` or `Failed`.

        Args:
            messages: the conversation, each `{"role": ..., "content": ...}`; the first and the last are the user's.
            documents: answered from the weights: adapters of their chunks are attached, their text is not read.
            context: answered from the prompt: their texts are put in front of the first message.
            routing: which chunks of `documents` are attached, how many are also read, and whether a passage is read
                where nothing supports the answer (`second_look.py`).
            max_tokens: length limit of the answer.
            sampling: how the tokens are drawn, and what ends the answer.
            constrain: makes, from the pair's tokenizer, what changes the logits before each token is drawn.
            tools: schemas of the tools that the model may call, as chat templates take them; the answer has the calls.
            calls: whether it may call one, must, or must not.
            listener: called with each event.
        """
        request = self._request(listener)
        said = prompt.readable(messages)
        question = Question(said, documents, context, routing, max_tokens, sampling, constrain, tools, calls)
        try:
            self._on_thread(self._ask, question, request.task)
        except Stopped as error:
            request.task.tell(Failed(error))
        return request

    def document_id(self, document: Document, chunking: Chunking = "meaning") -> str:
        """Return the id the library has, or would have, for a document; a pair must be loaded."""
        return document_id(document.sha256, self._loaded().bundle.id, chunking)

    def has_tools(self) -> bool:
        """Tell whether the base can call tools; waits for the MLX thread."""
        return self._on_thread(self._has_tools).result()

    def reads_system(self) -> bool:
        """Tell whether the base's chat template takes a system prompt; waits for the MLX thread."""
        return self._on_thread(lambda: prompt.reads_system(self._loaded())).result()

    def count_tokens(self, text: str) -> int:
        """Return the length of a text in tokens of the base; waits for the MLX thread."""
        return self._on_thread(lambda: len(self._encoded(text))).result()

    def stop(self) -> None:
        """Stop all requests, running or waiting: they end with `Failed(Stopped)`."""
        with self._lock:
            for task in self._tasks:
                task.stop()

    def close(self) -> None:
        """Stop everything, drop the model and end the threads; it does not wait for a file that is being read."""
        self.stop()
        self._reader.close()
        with self._lock:
            if not self._closed:
                self._closed = True
                self._thread.submit(self._end)
        self._thread.shutdown()

    # On any thread

    def _request(self, listener: Listener | None) -> Request:
        request = Request(listener)
        with self._lock:
            self._tasks.add(request.task)
        return request

    def _queue(self, task: Task, turns: _Turns) -> None:
        """Queue a task's next turn after everything that already waits for the MLX thread."""
        try:
            self._on_thread(self._turn, task, turns)
        except Stopped as error:
            task.tell(Failed(error))

    def _on_thread(self, work: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Run something on the MLX thread, after what waits there already."""
        with self._lock:
            if self._closed:
                raise Stopped("stopped")
            return self._thread.submit(work, *arguments)

    # On the reading thread

    def _read(
        self,
        task: Task,
        source: Document | Path | str,
        chunking: Chunking,
        source_name: str | None,
        options: Options,
        of_chat: bool,
    ) -> None:
        def on_page(page: int, pages: int) -> None:
            task.tell(Progress("read", page, pages, pages=pages))

        try:
            task.check()
            task.tell(Progress("read", 0, 1))
            document = absorbing.read(source, options, lambda: task.stopped, on_page)
            cutter = self._cutter or self._on_thread(self._make_cutter).result()
            task.check()
            place = source_name or absorbing.origin(source)
            prepared = absorbing.prepare(self._library, document, cutter, chunking, place, of_chat=of_chat)
            task.tell(Progress("read", 1, 1, pages=document.pages))
        # The edge of a thread: what escaped here would be lost, and a panic in the tokenizers is no `Exception`.
        except BaseException as error:
            task.tell(failure(error))
            return
        if prepared.stored.complete:
            task.tell(Absorbed(prepared.stored))
        else:
            self._queue(task, self._absorb(prepared, cutter.bundle, task))

    # On the MLX thread

    def _turn(self, task: Task, turns: _Turns) -> None:
        """Take one turn of a task, report its event, and queue the next turn."""
        try:
            task.check()
            event = next(turns)
            if ended := event is not None and is_last(event):
                turns.close()  # before the listener hears of the end
            if event is not None:
                task.tell(event)
            if not ended:
                self._queue(task, turns)
        # The edge of a thread, as above.
        except BaseException as error:
            turns.close()
            task.tell(failure(error))

    def _load(self, pair: Pair, task: Task) -> _Turns:
        self._waiting_loads += 1
        try:
            while self._answering:  # what was asked before is answered by the pair that was there
                yield None
        finally:
            self._waiting_loads -= 1
        self._drop_pair()
        task.tell(Progress("load", 0, 1))
        self._pair = load_pair(pair)
        self._answerer = Answerer(self._pair, self._library, self._kv_cache_bytes)
        yield Progress("load", 1, 1)

    def _absorb(self, prepared: Prepared, bundle: str, task: Task) -> _Turns:
        def pair() -> LoadedPair:
            if (loaded := self._loaded()).bundle.id != bundle:
                raise ThothError(
                    f"another model was loaded while {prepared.stored.name} was being absorbed; absorb it again"
                )
            return loaded

        for event in self._absorber.turns(prepared, pair, lambda: task.stopped):
            self._absorbed_at = time.perf_counter()
            yield event
            while self._answering and time.perf_counter() - self._absorbed_at < _ABSORB_EVERY_SECONDS:
                task.check()
                yield None

    def _ask(self, question: Question, task: Task) -> None:
        """Let a question join those in flight, and begin to step if it is the only one."""
        stepping = self._answering
        try:
            if self._waiting_loads:  # asked after a pair that is not there yet
                self._on_thread(self._ask, question, task)
                return
            task.check()
            pair, answerer = self._loaded(), self._answerer
            assert answerer is not None
            seconds = sum((self._absorber.seconds.get(document.id, 0.0) for document in question.documents), 0.0)

            def ask(asked: Question, task: Task) -> None:
                answerer.begin(asked, task, seconds)

            second_look.begin(ask, question, task, pair.recall, pair.reading.sentences)
        # The edge of a thread, as above.
        except BaseException as error:
            task.tell(failure(error))
            return
        if not stepping:
            self._step()

    @property
    def _answering(self) -> bool:
        return self._answerer is not None and self._answerer.busy

    def _step(self) -> None:
        """One token for each question in flight; then everything that waits for this thread, then the next."""
        assert self._answerer is not None
        try:
            self._answerer.step()
        # The edge of a thread, as above.
        except BaseException as error:
            self._answerer.fail(error)
        if self._answering:
            try:
                self._on_thread(self._step)
            except Stopped as error:
                self._answerer.fail(error)

    def _has_tools(self) -> bool:
        self._loaded()
        return self._answerer is not None and self._answerer.call_format is not None

    def _encoded(self, text: str) -> list[int]:
        tokenizer = self._loaded().tokenizer
        return list(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))

    def _loaded(self) -> LoadedPair:
        if (pair := self._pair) is None:
            raise ThothError("no model is loaded; load one first")
        return pair

    def _make_cutter(self) -> Cutter:
        self._cutter = self._cutter or Cutter.of(self._loaded())
        return self._cutter

    def _drop_pair(self) -> None:
        if self._answerer is not None:
            self._answerer.close()
        self._pair = self._cutter = self._answerer = None

    def _end(self) -> None:
        self._drop_pair()
        if mlx := sys.modules.get("mlx.core"):
            mlx.clear_streams()  # a thread that ends with open streams can abort the process
