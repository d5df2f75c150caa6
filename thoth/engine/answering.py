"""A question and its documents -> the answer, token by token. Runs on the MLX thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from thoth.engine import prompt
from thoth.engine.attached import Attached
from thoth.engine.caches import KeyValueCaches
from thoth.engine.loading import LoadedPair
from thoth.engine.prompt import Message, Prompt
from thoth.events import Answer, Event, Passage, Stats, Token
from thoth.ingest import Document
from thoth.library.records import ChunkRef, StoredDocument
from thoth.retrieval import choosing, provenance, router
from thoth.retrieval.choosing import Choice, ref
from thoth.retrieval.routing import Routing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from thoth.library.library import Library

# Prompt tokens read between two checks whether to stop.
_PREFILL_TOKENS = 512
# Chunks searched for support of an answer.
_MOST_SOURCES = 16


@dataclass(frozen=True)
class Question:
    """A question with the time it was asked; for the other fields see `Engine.ask`."""

    messages: Sequence[Message]
    documents: Sequence[StoredDocument] = ()
    context: Sequence[Document] = ()
    routing: Routing = field(default_factory=Routing)
    max_tokens: int = 256
    asked_at: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True)
class _Reply:
    """What the model generated, and how fast."""

    text: str
    tokens: int
    first_token_at: float
    tokens_per_second: float
    cached_tokens: int


class Answerer:
    """Answers with one pair, and keeps what the next answer can reuse.

    That is the adapter, which stays attached until a question needs another one, and key/value caches.

    Args:
        pair: the loaded pair.
        library: the library with the chunks.
        kv_cache_bytes: memory limit of the key/value caches.
    """

    def __init__(self, pair: LoadedPair, library: Library, kv_cache_bytes: int) -> None:
        self._pair, self._library = pair, library
        self._caches = KeyValueCaches(kv_cache_bytes)
        self._attached = Attached(pair.model, library)

    def answer(
        self, question: Question, emit: Callable[[Event], None], check: Callable[[], None], absorb_seconds: float
    ) -> Answer:
        """Answer a question.

        Args:
            question: the question and its documents.
            emit: called with each piece of the answer.
            check: raises `Stopped` to stop; called before every token and every part of the prompt.
            absorb_seconds: seconds spent absorbing the documents, for the stats.

        Raises:
            ThothError: A document is missing or belongs to another bundle, or the prompt is too long.
        """
        import mlx.core as mx

        started = time.perf_counter()
        searched = router.conversation_query(question.messages)
        choice = self._choose(question, searched)
        self._attached.set(map(ref, choice.attached))
        attached = time.perf_counter()
        check()
        asking = self._prompt(question, choice)
        reply = self._generate(asking, min(question.max_tokens, asking.room), emit, check)
        stats = Stats(
            document_tokens_in_context=asking.document_tokens,
            prompt_tokens=len(asking.ids),
            generated_tokens=reply.tokens,
            absorb_seconds=absorb_seconds,
            time_to_first_token_seconds=reply.first_token_at - question.asked_at,
            tokens_per_second=reply.tokens_per_second,
            active_documents=len({chosen.document for chosen in choice.attached}),
            rank=self._attached.rank,
            peak_memory_bytes=mx.get_peak_memory(),
            attach_seconds=attached - started,
            cached_tokens=reply.cached_tokens,
            chunks=choice.attached,
        )
        return Answer(reply.text, stats, self._sources(question, searched, choice, reply.text))

    def _choose(self, question: Question, searched: str) -> Choice:
        bundle = self._pair.bundle
        return choosing.choose(
            self._library,
            searched,
            question.documents,
            question.routing,
            bundle.id,
            bundle.config.hypernet.rank,
            cache(self._embed),
        )

    def _embed(self, text: str) -> NDArray[np.float32]:
        """The pooled features (D,) of a text, cut to the length of a chunk: the question comes first."""
        from mlx_hypernet.absorbing import embed

        config = self._pair.bundle.config
        ids = self._pair.tokenizer.encode(text.strip(), add_special_tokens=False, split_special_tokens=True)
        ids = [*config.prefix_ids, *ids[: config.max_chunk_tokens], *config.suffix_ids]
        return embed(self._pair.model, self._pair.bundle, ids)

    def _prompt(self, question: Question, choice: Choice) -> Prompt:
        """Build the prompt with as many passages, best first, as leave room for the answer."""
        room = min(question.max_tokens, self._pair.context_length // 4)
        for count in range(len(choice.passages), 0, -1):
            # In document order; documents in the order they were given.
            places = {document.id: place for place, document in enumerate(question.documents)}
            refs = sorted(map(ref, choice.passages[:count]), key=lambda one: (places[one.document], one.number))
            texts = [self._library.chunk(one).text.strip() for one in refs]
            try:
                return prompt.build(self._pair, question.messages, question.context, texts, room)
            except prompt.TooLongError:
                continue
        return prompt.build(self._pair, question.messages, question.context)

    def _generate(
        self, asking: Prompt, max_tokens: int, emit: Callable[[Event], None], check: Callable[[], None]
    ) -> _Reply:
        from mlx_lm import stream_generate

        pair = self._pair
        cache, unread = self._caches.take(pair.model, self._attached.refs, asking.ids)
        text, first_at = "", 0.0
        generated: list[int] = []
        parts = stream_generate(
            pair.model,
            pair.tokenizer,
            unread,
            max_tokens=max_tokens,
            prompt_cache=cache,
            prefill_step_size=_PREFILL_TOKENS,
            prompt_progress_callback=lambda *_: check(),
        )
        with closing(parts):
            for part in parts:
                check()
                first_at = first_at or time.perf_counter()
                generated.append(part.token)
                piece = part.text if text else part.text.lstrip()  # some models begin with a space
                if piece:
                    emit(Token(piece))
                text += piece
        later = len(generated) - 1
        rate = later / (time.perf_counter() - first_at) if later else 0.0
        # mlx-lm has read each token it yields, including the last.
        self._caches.keep(self._attached.refs, [*asking.ids, *generated], cache)
        tokens = later if part.finish_reason == "stop" else later + 1
        return _Reply(text.strip(), tokens, first_at, rate, len(asking.ids) - len(unread))

    def _sources(self, question: Question, searched: str, choice: Choice, answer: str) -> tuple[Passage, ...]:
        """Find the passages that support an answer: in what was attached or read, then in chunks with similar words."""
        known = list(dict.fromkeys(map(ref, (*choice.attached, *choice.passages))))
        if not known:
            return ()
        near = known if len(known) <= _MOST_SOURCES else []
        if found := self._support(question, searched, answer, near):
            return found
        documents = [document.id for document in question.documents]
        alike = self._library.search(f"{searched} {answer}", documents, _MOST_SOURCES)
        return self._support(question, searched, answer, [one for one, _ in alike if one not in near])

    def _support(self, question: Question, searched: str, answer: str, refs: Sequence[ChunkRef]) -> tuple[Passage, ...]:
        documents = {document.id: document for document in question.documents}
        passages = [(documents[one.document], self._library.chunk(one)) for one in refs]
        return provenance.support(searched, answer, passages, self._library.document)
