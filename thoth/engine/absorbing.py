"""A document -> its chunks in the library: read and cut on any thread, absorbed in turns on the MLX thread."""

from __future__ import annotations

import copy
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thoth import ingest
from thoth.engine.loading import LoadedPair
from thoth.errors import NoTextError, Stopped, ThothError
from thoth.events import Absorbed, Event, Progress
from thoth.ingest import Document, Options, chunks
from thoth.library.records import StoredDocument

if TYPE_CHECKING:
    from mlx_hypernet.absorbing import AbsorbedChunks
    from thoth.ingest.chunks import Chunking
    from thoth.library.library import Library

# Chunks absorbed in one turn: enough to keep a processor busy, few enough that a question need not wait long.
_MOST_CHUNKS = 4
_TURN_SECONDS = 0.5
# How much of a document is read to see whether the base can read it.
_SAMPLED_CHUNKS = 3
_SAMPLED_TOKENS = 256  # of each


@dataclass(frozen=True)
class Cutter:
    """What cutting documents for a pair needs; may be used on any thread.

    Attributes:
        bundle: id of the bundle.
        tokenizer: a copy of the pair's tokenizer. A tokenizer is not thread-safe: whether control tokens in a text are
            text is a switch that one thread would turn while another reads.
        max_tokens: length limit of a chunk, without the template's ids around it.
        prefix_ids: ids of the template before a chunk.
        suffix_ids: ids of the template after a chunk.
    """

    bundle: str
    tokenizer: Any
    max_tokens: int
    prefix_ids: tuple[int, ...]
    suffix_ids: tuple[int, ...]

    @classmethod
    def of(cls, pair: LoadedPair) -> Cutter:
        """Make the cutter of a pair. Runs on the MLX thread."""
        config = pair.bundle.config
        tokenizer = copy.deepcopy(pair.tokenizer)
        return cls(pair.bundle.id, tokenizer, config.max_chunk_tokens, config.prefix_ids, config.suffix_ids)


@dataclass(frozen=True, eq=False)  # two requests for the same document are two
class Prepared:
    """A document in the library, completely absorbed or not.

    Attributes:
        stored: its entry.
        ids: token ids of each chunk; empty if all chunks are absorbed.
    """

    stored: StoredDocument
    ids: list[list[int]]


def read(
    source: Document | Path | str,
    options: Options,
    should_stop: Callable[[], bool],
    on_page: Callable[[int, int], None],
) -> Document:
    """Read a document, unless it has been read.

    Args:
        source: as `Engine.absorb` takes it.
        options: what a person decided about reading it.
        should_stop: asked several times a second.
        on_page: called with the pages that are read and all pages, for formats with pages.

    Raises:
        DocumentError, NoTextError: As `ingest.read`.
        Stopped: `should_stop` said so.
    """
    if isinstance(source, Document):
        return source
    return ingest.complete(ingest.reading(source, options, should_stop), on_page)


def origin(source: Document | Path | str) -> str | None:
    """Return where a source is: an absolute path, an address, or None for a document or standard input."""
    if isinstance(source, Document) or source == ingest.STANDARD_INPUT:
        return None
    is_address = isinstance(source, str) and ingest.is_address(source)
    return str(source) if is_address else os.path.abspath(source)


def prepare(
    library: Library,
    document: Document,
    cutter: Cutter,
    chunking: Chunking,
    source: str | None,
    *,
    of_chat: bool = False,
) -> Prepared:
    """Find a document in the library, or cut it and add it.

    Args:
        library: gets the document.
        document: the document as it was read.
        cutter: cutter of the pair that will absorb it.
        chunking: how the document is cut.
        source: where it came from, as `origin` returns it.
        of_chat: a new document belongs to a chat.

    Raises:
        NoTextError: The document contains only whitespace.
        ThothError: The library cannot be written.
    """
    stored = library.find(document.sha256, cutter.bundle, chunking)
    if stored is not None:
        stored = _found_again(library, stored, document, source)
    if stored is not None and stored.complete:
        return Prepared(stored, [])
    if not document.text.strip():
        raise NoTextError(f"{document.name} contains no text; nothing to absorb")
    parts = chunks.split(document, cutter.tokenizer, cutter.max_tokens, cutter.prefix_ids, cutter.suffix_ids, chunking)
    stored = library.begin(document, cutter.bundle, chunking, parts, source, of_chat=of_chat)
    return Prepared(stored, [part.ids for part in parts])


def _found_again(library: Library, stored: StoredDocument, document: Document, source: str | None) -> StoredDocument:
    """Note where a known text comes from now, unless the file that it came from is still there."""
    if source is None or document.stamp is None:
        return stored
    is_same = source == stored.source
    if not is_same and stored.source is not None and os.path.lexists(stored.source):
        return stored
    if not (is_same and document.stamp == library.stamp(stored.id)):
        with suppress(ThothError):  # a home that cannot be written still answers
            library.set_source(stored.id, source, document.stamp)
            return library.get(stored.id)
    return stored


class Absorber:
    """Absorbs one document after another, in turns of one batch of chunks.

    Attributes:
        seconds: document id -> seconds spent absorbing it in this process.
    """

    def __init__(self, library: Library) -> None:
        self.seconds: dict[str, float] = {}
        self._library = library
        self._waiting: deque[Prepared] = deque()

    def turns(
        self, prepared: Prepared, pair: Callable[[], LoadedPair], should_stop: Callable[[], bool]
    ) -> Generator[Event | None, None, None]:
        """Absorb the missing chunks of a document; each item ends a turn, None if there is nothing to report.

        Args:
            prepared: the document.
            pair: returns the loaded pair; called in each turn, so that nothing here keeps a pair in memory.
            should_stop: called before each layer.

        Raises:
            Stopped: `should_stop` returned True; the chunks absorbed so far are in the library.
            ThothError: The pair is not the one the document was prepared for, the document was removed, or the library
                cannot be written.
        """
        self._waiting.append(prepared)
        try:
            while self._waiting[0] is not prepared:
                yield None
            # Read now, not earlier: the same document may have been absorbed while this request waited.
            stored = self._library.get(prepared.stored.id)
            missing = self._library.missing(stored.id)
            left, pace = sum(len(prepared.ids[number]) for number in missing), _Pace()
            yield _progress(stored, pace, left)
            if measured := self._measure(stored, prepared, pair()):
                stored = measured
                yield _progress(stored, pace, left)
            count = 1
            while missing:
                numbers, missing = missing[:count], missing[count:]
                ids = [prepared.ids[number] for number in numbers]
                started = time.perf_counter()
                absorbed = _absorb(pair(), ids, should_stop)
                stored = self._library.store(stored.id, numbers, absorbed.adapters, absorbed.features, absorbed.marks)
                del absorbed
                tokens, seconds = sum(map(len, ids)), time.perf_counter() - started
                pace, left = pace.after(tokens, seconds), left - tokens
                count = max(1, min(_MOST_CHUNKS, int(count * _TURN_SECONDS / seconds)))
                self.seconds[stored.id] = self.seconds.get(stored.id, 0.0) + seconds
                yield _progress(stored, pace, left)
            yield Absorbed(stored)
        finally:
            self._waiting.remove(prepared)

    def _measure(self, stored: StoredDocument, prepared: Prepared, pair: LoadedPair) -> StoredDocument | None:
        """Note how well the base reads a document, where it is known which loss means that it can."""
        if pair.readable_loss is None or stored.loss is not None or stored.of_chat:
            return None
        if not pair.bundle.config.prefix_ids:  # a text's first token is predicted from these
            return None
        loss = loss_on(pair, prepared.ids)
        self._library.set_loss(stored.id, loss, loss <= pair.readable_loss)
        return self._library.get(stored.id)


@dataclass(frozen=True)
class _Pace:
    """How fast a document is absorbed, without the answers in between."""

    tokens: int = 0
    seconds: float = 0.0

    def after(self, tokens: int, seconds: float) -> _Pace:
        return _Pace(self.tokens + tokens, self.seconds + seconds)


def _progress(stored: StoredDocument, pace: _Pace, left: int) -> Progress:
    rate = pace.tokens / pace.seconds if pace.seconds else 0.0
    seconds_left = left / rate if rate else None
    return Progress("absorb", stored.absorbed, stored.chunks, rate, seconds_left, stored.pages, stored)


def loss_on(pair: LoadedPair, ids: Sequence[Sequence[int]]) -> float:
    """Return the base's loss on a document, in nats a token: on three chunks of it, from the first to the last.

    Runs on the MLX thread.

    Args:
        pair: reads the document.
        ids: of its chunks, the template's around each.
    """
    from mlx_hypernet.token_loss import token_loss

    config = pair.bundle.config
    first, behind = len(config.prefix_ids), len(config.suffix_ids)
    count = min(_SAMPLED_CHUNKS, len(ids))
    sample = [ids[number * (len(ids) - 1) // max(count - 1, 1)] for number in range(count)]
    texts = [chunk[first : len(chunk) - behind][:_SAMPLED_TOKENS] for chunk in sample]
    return token_loss(pair.model, texts, config.prefix_ids)


def _absorb(pair: LoadedPair, ids: Sequence[Sequence[int]], should_stop: Callable[[], bool]) -> AbsorbedChunks:
    from mlx_hypernet import absorbing

    try:
        return absorbing.absorb_batch(pair.model, pair.bundle, ids, should_stop)
    except absorbing.Stopped as error:
        raise Stopped("stopped") from error
