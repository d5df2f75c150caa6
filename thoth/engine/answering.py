"""Questions and their documents -> answers, token by token. Runs on the MLX thread."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

from thoth.engine import contest, prompt
from thoth.engine.adapters import Adapters, sorted_refs
from thoth.engine.caches import KeyValueCaches
from thoth.engine.call_format import CallFormat, call_format
from thoth.engine.contest import Candidate
from thoth.engine.copying import copying
from thoth.engine.decoding import Decoded, Decoder
from thoth.engine.grammar import Grammars
from thoth.engine.loading import LoadedPair
from thoth.engine.parsing import CallReader
from thoth.engine.prompt import Message, Prompt
from thoth.engine.reply import Question, Reply
from thoth.engine.request import Task, failure
from thoth.engine.sampling import Ending
from thoth.errors import ModelError, Stopped
from thoth.events import Answer, Drawn, Finish, Passage, Stats, Token
from thoth.library.records import ChunkRef
from thoth.retrieval import choosing, provenance, whole
from thoth.retrieval.choosing import Choice, ref
from thoth.retrieval.query import conversation_query

if TYPE_CHECKING:
    from mlx_hypernet.absorbing import ReadText
    from mlx_hypernet.live import Fitted
    from mlx_hypernet.marks import Match
    from thoth.library.library import Library

# A prompt costs two steps of the model, however few rows are in them: while most questions are being answered, new ones
# are read together, after this many tokens at the latest.
_MOST_HELD = 4


class Answerer:
    """Answers any number of questions at a time with one pair, each with its own adapter, and one token of each a step.

    What the next answer can reuse is kept: the last adapter, and key/value caches.

    Args:
        pair: the loaded pair.
        library: the library with the chunks.
        kv_cache_bytes: memory limit of the key/value caches.
    """

    def __init__(self, pair: LoadedPair, library: Library, kv_cache_bytes: int) -> None:
        self._pair, self._library = pair, library
        self._caches = KeyValueCaches(kv_cache_bytes)
        self._adapters = Adapters(pair.model, library)
        self._decoder = Decoder(pair)
        self._grammars: Grammars | None = None
        self._held = 0  # steps for which the first of those that wait has waited
        self._replies: list[Reply] = []  # in flight, or waiting for room, in the order of the questions

    @property
    def busy(self) -> bool:
        """Whether a question waits for its next token."""
        return bool(self._replies)

    @cached_property
    def call_format(self) -> CallFormat | None:
        """How the base writes tool calls; None if it writes none."""
        return call_format(self._pair.tokenizer)

    def begin(self, question: Question, task: Task, absorb_seconds: float) -> None:
        """Choose what a question needs, and let it join those in flight. Its task hears of the rest.

        Args:
            question: the question and its documents.
            task: gets a `Token` for each piece of the answer, then an `Answer` or a `Failed`.
            absorb_seconds: seconds spent absorbing the documents, for the stats.

        Raises:
            ThothError: A document is missing or belongs to another bundle, or the prompt is too long.
        """
        started = time.perf_counter()
        form = self.call_format if question.tools else None
        if question.tools and form is None:
            raise ModelError("the base model's chat template knows no tools; ask without them, or use another model")
        searched = conversation_query(_said(question.messages), question.documents)
        choice = self._choose(question, searched)

        def ask(task: Task, choice: Choice) -> None:
            self._ask(question, task, absorb_seconds, searched, choice, form, started)

        if not (self._pair.apart and contest.begins(question, choice)):
            ask(task, choice)
            return
        verdict = contest.verdict(choice)
        quotes = whole.quotes(self._library, choice.attached) if verdict == "quote" else ()
        if verdict == "alone":
            ask(task, Choice())
            return
        if verdict == "refuse" or quotes:
            contest.tell(task, question, choice, absorb_seconds, quotes)
            return
        asked = contest.Contest(task, question, choice)
        try:
            for one in asked.candidates:
                ask(one, one.choice)
        except BaseException:
            asked.over = True  # those that are in flight already end
            raise

    def _ask(
        self,
        question: Question,
        task: Task,
        absorb_seconds: float,
        searched: str,
        choice: Choice,
        form: CallFormat | None,
        started: float,
    ) -> None:
        """Let a question join those in flight with what was chosen for it."""
        chunks = [self._library.chunk(ref(passage)) for passage in choice.passages]
        texts = {chunk.ref: chunk.text.strip() for chunk in chunks}
        quotes: tuple[Passage, ...] = ()
        if question.sentences:
            answers = {ref(passage): passage.answers for passage in choice.passages}
            quotes = provenance.closest(
                self._library, searched, question.documents, chunks, question.sentences, answers
            )
            texts = _by_chunk(quotes)
            choice = replace(choice, passages=tuple(one for one in choice.passages if ref(one) in texts))
        refs = sorted_refs(map(ref, choice.attached))
        adapter = self._adapters.of(refs)
        attach_seconds = time.perf_counter() - started
        task.check()
        asking = self._prompt(question, choice, texts)
        reply = Reply(
            task,
            question,
            searched,
            choice,
            asking,
            refs,
            adapter,
            absorb_seconds,
            attach_seconds,
            self._pair.tokenizer.detokenizer,
            Ending(question.sampling.stop),
            question.sampling.sampler(),
            min(question.max_tokens, asking.room),
        )
        if form is not None:
            reply.reader = CallReader(self._pair.tokenizer, form, question.tools)
            self._grammars = self._grammars or Grammars(self._pair.tokenizer, form)
            reply.mask = self._grammars.mask(question.tools, reply.max_tokens, question.calls, question.messages)
        if question.constrain is not None:
            reply.processors.append(question.constrain(self._pair.tokenizer))
        elif isinstance(task, Candidate):
            chunk = self._library.chunk(ref(choice.attached[0]))
            reply.processors.append(task.spelling(self._pair.tokenizer, chunk.text))
        elif quotes:
            reply.quotes = quotes
            reply.processors.append(copying(self._pair.tokenizer, [*texts.values(), question.messages[-1]["content"]]))
        self._replies.append(reply)

    def step(self) -> None:
        """One token, or one part of a prompt, for each question in flight; tells the tasks."""
        for reply in list(self._replies):
            if reply.task.stopped:
                self._end(reply, Stopped("stopped"))
        self._join()
        rows = {reply.row: reply for reply in self._replies if reply.row is not None}
        for decoded in self._decoder.step() if rows else ():
            reply = rows[decoded.row]
            if decoded.finish:
                reply.row = None  # the decoder has let go of it
            try:
                self._hear(reply, decoded)
            except BaseException as error:  # of one question: the others continue
                self._end(reply, error)

    def fail(self, error: BaseException) -> None:
        """End all questions that wait for their next token; they go with the decoder, whatever state it is in."""
        for reply in list(self._replies):
            reply.row = None
            self._end(reply, error)
        self._decoder.close()
        self._decoder = Decoder(self._pair)

    def close(self) -> None:
        """Give back what the decoder holds."""
        self._decoder.close()

    def _join(self) -> None:
        """Let questions into the batch as far as there is room, in their order.

        Those that come one by one wait a few tokens for others, and are read together.
        """
        waiting = [reply for reply in self._replies if reply.row is None]
        if not waiting:
            return
        self._held += 1
        if len(waiting) < len(self._replies) - len(waiting) and self._held <= _MOST_HELD:
            return
        self._held = 0
        for reply in waiting:
            if not self._decoder.has_room(len(reply.asking.ids) + reply.max_tokens):
                return
            reply.cached_tokens = self._enter(reply, reply.adapter)

    def _enter(self, reply: Reply, adapter: Fitted | None) -> int:
        """Let a question into the batch after what it has said so far; returns how many tokens need not be read."""
        ids = [*reply.asking.ids, *reply.said]
        cache, unread = self._caches.take(self._pair.model, reply.refs, ids)
        reply.row = self._decoder.add(
            ids,
            unread,
            cache,
            adapter,
            reply.max_tokens - len(reply.said),
            reply.sampler,
            reply.processors if reply.mask is None else [*reply.processors, reply.mask],
        )
        return len(ids) - len(unread)

    def _continue_without_documents(self, reply: Reply) -> None:
        """Let the base alone write a call: what is in it comes from the conversation."""
        assert reply.row is not None
        cache, ids = self._decoder.remove(reply.row)
        self._caches.keep(reply.refs, ids, cache)
        reply.refs = ()
        self._enter(reply, None)

    def _hear(self, reply: Reply, decoded: Decoded) -> None:
        """Take the next token of an answer."""
        reply.first_token_at = reply.first_token_at or time.perf_counter()
        if decoded.finish != "stop":
            if reply.reader is None or not reply.reader.take(decoded.token):
                reply.detokenizer.add_token(decoded.token)
            reply.said.append(decoded.token)
            if reply.question.sampling.logprobs is not None:
                reply.drawn.append(self._drawn(decoded, reply.question.sampling.logprobs))
        if decoded.finish:
            reply.detokenizer.finalize()
        piece, ended = reply.ending.add(reply.detokenizer.last_segment)
        if decoded.finish and not ended:
            piece += reply.ending.rest()
        piece = piece if reply.text else piece.lstrip()  # some models begin with a space
        if piece:
            reply.task.tell(Token(piece, tuple(reply.drawn[reply.told :])))
            reply.told = len(reply.drawn)
        reply.text += piece
        if decoded.finish or ended:
            if decoded.finish:
                cache, ids = decoded.cache, decoded.ids
            else:
                assert reply.row is not None
                cache, ids = self._decoder.remove(reply.row)
                reply.row = None
            assert cache is not None
            assert ids is not None
            self._caches.keep(reply.refs, ids, cache)
            answer = self._answer(reply, "length" if decoded.finish == "length" and not ended else "stop")
            self._replies.remove(reply)
            reply.task.tell(answer)
        elif reply.refs and reply.reader is not None and reply.reader.in_calls:
            self._continue_without_documents(reply)

    def _drawn(self, decoded: Decoded, likely: int) -> Drawn:
        """A token with its log-probability, and the most likely ones beside it."""
        import mlx.core as mx
        import numpy as np

        logprobs = np.array(decoded.logprobs.astype(mx.float32))  # numpy knows no bf16

        def told(token: int) -> tuple[str, float]:
            return str(self._pair.tokenizer.decode([token])), float(logprobs[token])

        return Drawn(*told(decoded.token), tuple(told(int(token)) for token in np.argsort(-logprobs)[:likely]))

    def _end(self, reply: Reply, error: BaseException) -> None:
        if reply.row is not None:
            self._decoder.remove(reply.row)
        self._replies.remove(reply)
        reply.task.tell(failure(error))

    def _answer(self, reply: Reply, finish: Finish) -> Answer:
        import mlx.core as mx

        question, choice = reply.question, reply.choice
        # The first token comes with the prompt; after it, each took one step, the one that ends the answer too.
        seconds = time.perf_counter() - reply.first_token_at
        text = reply.text.strip()
        stats = Stats(
            document_tokens_in_context=reply.asking.document_tokens,
            prompt_tokens=len(reply.asking.ids),
            generated_tokens=len(reply.said),
            absorb_seconds=reply.absorb_seconds,
            time_to_first_token_seconds=reply.first_token_at - question.asked_at,
            tokens_per_second=max(0, len(reply.said) - 1) / seconds if seconds else 0.0,
            active_documents=len({chosen.document for chosen in choice.attached}),
            rank=0 if reply.adapter is None else reply.adapter.rank,
            peak_memory_bytes=mx.get_peak_memory(),
            attach_seconds=reply.attach_seconds,
            cached_tokens=reply.cached_tokens,
            chunks=choice.attached,
            passages=reply.asking.passages,
        )
        used = list(dict.fromkeys(map(ref, (*choice.attached, *choice.passages))))
        if question.context:
            sources = provenance.sources_read(
                self._library, reply.searched, text, question.context, self._pair.bundle.id
            )
        else:
            sources = provenance.sources(self._library, reply.searched, text, question.documents, used)
        if reply.quotes and not (sources or provenance.is_refusal(text)):
            return Answer(whole.as_text(reply.quotes), replace(stats, quoted=True), tuple(reply.quotes))
        calls, fault = reply.reader.calls() if reply.reader is not None and reply.reader.in_calls else ((), "")
        closed = reply.mask is not None and reply.mask.was_cut
        if closed or (fault and finish == "length"):  # what cannot be read then is the call that was cut
            calls = calls if fault else calls[:-1]
            fault = f"a tool call was cut at the limit of {reply.max_tokens} tokens"
        return Answer(text, stats, sources, finish, tuple(reply.drawn), calls, fault)

    def _choose(self, question: Question, searched: str) -> Choice:
        from mlx_hypernet.marks import joined

        bundle, read = self._pair.bundle, cache(self._read)

        def compare(text: str, groups: Sequence[Sequence[ChunkRef]]) -> list[Match]:
            asked = read(text).marks
            assert bundle.matcher is not None
            assert asked is not None
            refs = list(dict.fromkeys(ref for group in groups for ref in group))
            marks = dict(zip(refs, self._library.marks(refs), strict=True))
            return bundle.matcher(asked, [joined([one for ref in group if (one := marks[ref])]) for group in groups])

        return choosing.choose(
            self._library,
            searched,
            question.documents,
            question.routing,
            bundle.id,
            bundle.config.hypernet.rank,
            lambda text: read(text).features,
            apart=self._pair.apart,
            compare=None if bundle.matcher is None else compare,
        )

    def _read(self, text: str) -> ReadText:
        """Read a text as chunks are read, cut to the length of one: the question comes first."""
        from mlx_hypernet.absorbing import read

        config = self._pair.bundle.config
        ids = self._pair.tokenizer.encode(text.strip(), add_special_tokens=False, split_special_tokens=True)
        ids = [*config.prefix_ids, *ids[: config.max_chunk_tokens], *config.suffix_ids]
        return read(self._pair.model, self._pair.bundle, ids)

    def _prompt(self, question: Question, choice: Choice, texts: Mapping[ChunkRef, str]) -> Prompt:
        """Build the prompt with as many passages, best first, as leave room for the answer."""
        room = min(question.max_tokens, self._pair.context_length // 4)
        for count in range(len(choice.passages), 0, -1):
            # In document order; documents in the order they were given.
            places = {document.id: place for place, document in enumerate(question.documents)}
            refs = sorted(map(ref, choice.passages[:count]), key=lambda one: (places[one.document], one.number))
            read = [texts[one] for one in refs]
            try:
                return prompt.build(self._pair, question.messages, question.context, read, room, question.tools)
            except prompt.TooLongError:
                continue
        return prompt.build(self._pair, question.messages, question.context, tools=question.tools)


def _by_chunk(quotes: Sequence[Passage]) -> dict[ChunkRef, str]:
    """What is read of each chunk: its sentences, a line each."""
    texts: dict[ChunkRef, str] = {}
    for passage in quotes:
        chunk = ChunkRef(passage.document, passage.chunk)
        texts[chunk] = "\n".join(filter(None, (texts.get(chunk), passage.quote)))
    return texts


def _said(messages: Sequence[Message]) -> list[Message]:
    """Return what people and the model said to each other, up to the last question: no calls, no results."""
    last = max(place for place, message in enumerate(messages) if message["role"] == "user")
    before = [one for one in messages[:last] if one["role"] != "tool" and one["content"]]
    return [*before, messages[last]]  # the question, even an empty one
