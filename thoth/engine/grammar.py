"""Tool schemas -> a mask on the logits: from the token that begins a call on, only calls can be generated.

llguidance keeps the state of the grammar. Runs on the MLX thread.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from thoth.engine import call_schema, quotes
from thoth.engine.call_format import ARGS, CallFormat
from thoth.engine.sampling import only
from thoth.errors import ThothError

if TYPE_CHECKING:
    import mlx.core as mx

    from thoth.engine.prompt import Message

# Whether a model may call a tool, must call one at once, or must not.
Choosing = Literal["auto", "required", "none"]

# Before the limit of an answer, what is open is closed: so many tokens are left for it, and for names of arguments.
_CLOSING_TOKENS = 16


def grammar(
    form: CallFormat, schemas: Sequence[Mapping[str, Any]], tokenizer: Any, messages: Sequence[Message] = ()
) -> str | None:
    """Return the grammar of everything after the token that begins the first call; None where there is none for it.

    Args:
        form: how the base writes calls.
        schemas: the tools, as chat templates take them.
        tokenizer: of the base.
        messages: the conversation, which a base that copies quotes.
    """
    if form.shape == "other" or not schemas:
        return None
    functions = [schema["function"] for schema in schemas]
    begin, end = _tokens(form.begin), _tokens(form.end)
    rules = [f"call: {' | '.join(f'call_{i}' for i in range(len(functions)))}"]
    marks = [token.content for token in tokenizer.added_tokens_decoder.values()] if form.copied else []
    quotable = quotes.terminals(messages, marks) if form.copied else []
    rules += quotable
    for i, function in enumerate(functions):
        name, schema = function["name"], function["parameters"]
        if form.shape == "name":
            rules.append(f"call_{i}: {json.dumps(name)} {_literal(tokenizer, ARGS)} arguments_{i}")
            quoting = quotes.arguments(f"arguments_{i}", schema) if quotable else []
            rules += quoting or [f"arguments_{i}: %json {json.dumps(call_schema.arguments(schema))}"]
        else:
            rules.append(f"call_{i}: %json {json.dumps(call_schema.call(name, schema))}")
    match form.shape:
        case "name":
            start = f"start: call ({begin} call)*"
        case "list":
            start = 'start: " "? "[" call (", " call)* "]"'
        case _:
            start = f'start: "\\n" call "\\n" {end} ("\\n" {begin} "\\n" call "\\n" {end})*'
    return "\n".join([start, *rules])


def _tokens(ids: Sequence[int]) -> str:
    return " ".join(f"<[{id}]>" for id in ids)


def _literal(tokenizer: Any, text: str) -> str:
    """Return a mark as the one token that it is, or else as text."""
    ids = tokenizer.encode(text, add_special_tokens=False)
    return _tokens(ids) if len(ids) == 1 else json.dumps(text)


class Grammars:
    """Grammars for the tools of one base; the tokenizer's table for llguidance is made once, which takes a second.

    Args:
        tokenizer: mlx-lm's wrapper of the base's tokenizer.
        form: how the base writes calls.
    """

    def __init__(self, tokenizer: Any, form: CallFormat) -> None:
        self._tokenizer, self._form = tokenizer, form
        self._table: Any = None
        self._vocabulary: list[bytes] = []

    def mask(
        self,
        schemas: Sequence[Mapping[str, Any]],
        max_tokens: int,
        choosing: Choosing,
        messages: Sequence[Message] = (),
    ) -> Mask | None:
        """Return what constrains the calls of one answer; None for a base whose calls no grammar describes.

        Args:
            schemas: the tools.
            max_tokens: length limit of the answer.
            choosing: whether the model may call a tool.
            messages: the conversation.

        Raises:
            ThothError: A schema is none, or says what no grammar can.
        """
        from llguidance import LLMatcher

        if (text := grammar(self._form, schemas, self._tokenizer, messages)) is None:
            return None
        if self._table is None:
            from llguidance.hf import from_tokenizer

            self._table = from_tokenizer(self._tokenizer._tokenizer, eos_token=sorted(self._tokenizer.eos_token_ids))
            self._vocabulary = [self._table.decode_bytes([id]) for id in range(self._table.vocab_size)]
        matcher = LLMatcher(self._table, LLMatcher.grammar_from_lark(text), log_level=0)
        if matcher.is_error():
            reason = " ".join(matcher.get_error().split())[:200]
            raise ThothError(f"the arguments of a tool cannot be constrained ({reason}); remove its server")
        longest = max(self._longest(schema["function"]) for schema in schemas)
        closing = min(_CLOSING_TOKENS + longest, max_tokens // 2)
        stop = self._tokenizer.eos_token_ids
        return Mask(matcher, self._vocabulary, self._form.begin, stop, max_tokens, closing, choosing)

    def _longest(self, function: Mapping[str, Any]) -> int:
        """A bound on the tokens of a call whose texts are empty: names of arguments are in the schema."""
        text = function["name"] + json.dumps(function["parameters"].get("properties", {}))
        return len(self._tokenizer.encode(text, add_special_tokens=False))


class Mask:
    """A logits processor for one row: leaves text alone, and from the token that begins a call on follows the grammar.

    A model that comes near its limit inside a call gets only tokens that close it, so that the call can be read.

    Args:
        matcher: llguidance's state of the grammar.
        vocabulary: the bytes of each token.
        begin: token ids that begin a call.
        stop: token ids that end an answer.
        max_tokens: length limit of the answer.
        closing: with so many tokens left, what is open is closed.
        choosing: whether the model may call a tool.

    Attributes:
        was_cut: the call was closed because the limit was near: its arguments may be incomplete.
    """

    def __init__(
        self,
        matcher: Any,
        vocabulary: Sequence[bytes],
        begin: Sequence[int],
        stop: set[int],
        max_tokens: int,
        closing: int,
        choosing: Choosing,
    ) -> None:
        self._matcher, self._vocabulary, self._begin, self._stop = matcher, vocabulary, [*begin], stop
        self._left, self._closing = max_tokens, closing
        self._choosing = choosing
        self._read = -1  # tokens of prompt and answer seen so far; -1 before the first
        self._said: list[int] = []
        self._in_call = False
        self.was_cut = False

    def __call__(self, tokens: mx.array, logits: mx.array) -> mx.array:
        """Mask the logits (1, vocabulary) of the next token, given all tokens (n,) so far."""
        if self._read < 0:
            self._read = len(tokens)
        new: list[int] = tokens[self._read :].tolist()  # type: ignore[assignment]
        self._read += len(new)
        for token in new:
            self._hear(token)
        if not self._in_call and self._choosing == "required":
            return only(logits, [self._begin[len(self._said)]])
        if not self._in_call and self._choosing == "none":
            return _without(logits, self._begin[-1])
        if not self._in_call or self._matcher.is_stopped():
            return logits
        return only(logits, self._allowed())

    def _hear(self, token: int) -> None:
        self._left -= 1
        if self._in_call:
            if not self._matcher.is_stopped():
                self._matcher.consume_token(token)
            return
        self._said.append(token)
        self._in_call = self._said[-len(self._begin) :] == self._begin

    def _allowed(self) -> Any:
        """The ids of the tokens that may come next."""
        import numpy as np

        bits = np.frombuffer(self._matcher.compute_logit_bias(), np.uint8)
        allowed = np.flatnonzero(bits)
        if self._left > self._closing:
            return allowed
        if stop := self._stop.intersection(allowed.tolist()):
            return [*stop]
        self.was_cut = True
        first = {int(id): self._vocabulary[id][:1] for id in allowed if id < len(self._vocabulary)}
        # Where letters may come, this is the inside of a string, and brackets are text.
        ends = (b'"',) if b"a" in first.values() else (b"}", b"]", b'"', b",")
        for end in ends:
            if closing := [id for id, byte in first.items() if byte == end]:
                return closing
        return allowed


def _without(logits: mx.array, id: int) -> mx.array:
    """Make one token of the vocabulary impossible."""
    import mlx.core as mx

    return mx.where(mx.arange(logits.shape[-1]) == id, -mx.inf, logits)
