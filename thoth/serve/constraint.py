"""A JSON schema -> what lets an answer be nothing but JSON of that shape. llguidance keeps the state of the grammar."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from thoth.engine.sampling import only
from thoth.serve.faults import Fault

if TYPE_CHECKING:
    import mlx.core as mx

    from thoth.engine.sampling import Processor


# Without room for whitespace, which a small model fills to the end.
_JSON = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}


async def options(kind: str, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what `Engine.ask` must know about the format of an answer.

    Args:
        kind: "text", "json_object" or "json_schema".
        schema: of a "json_schema".

    Raises:
        Fault: As `json_schema`, or there is none.
    """
    if kind == "json_object":
        schema = {"type": "object"}
    elif kind != "json_schema":
        return {}
    elif schema is None:
        raise Fault(400, "response_format.json_schema is missing")
    # A large schema takes a second, in which the others are served.
    return {"constrain": await run_in_threadpool(json_schema, schema)}


def json_schema(schema: Mapping[str, Any]) -> Callable[[Any], Processor]:
    """Return what `Engine.ask` takes as `constrain`.

    Args:
        schema: a JSON schema.

    Raises:
        Fault: It is none, or says what no grammar can.
    """
    from llguidance import LLMatcher

    try:
        grammar = LLMatcher.grammar_from_json_schema(json.dumps({**schema, "x-guidance": _JSON}))
        problem = LLMatcher.validate_grammar(grammar)
    except ValueError as error:
        problem = str(error)
    if problem:
        raise Fault(400, f"the JSON schema cannot be followed ({' '.join(problem.split())[:200]})", "invalid_schema")

    def constrain(tokenizer: Any) -> Processor:
        return _processor(LLMatcher(_table(tokenizer), grammar, log_level=0))

    return constrain


@lru_cache(maxsize=2)
def _table(tokenizer: Any) -> Any:
    """The vocabulary as llguidance takes it; making it takes a second."""
    from llguidance.hf import from_tokenizer

    return from_tokenizer(tokenizer._tokenizer, eos_token=sorted(tokenizer.eos_token_ids))


def _processor(matcher: Any) -> Processor:
    read = -1  # tokens of prompt and answer seen so far; -1 before the first

    def process(tokens: mx.array, logits: mx.array) -> mx.array:
        import numpy as np

        nonlocal read
        if read < 0:
            read = len(tokens)
        for token in tokens[read:].tolist():  # type: ignore[union-attr]
            if not matcher.is_stopped():
                matcher.consume_token(token)
        read = len(tokens)
        return only(logits, np.flatnonzero(np.frombuffer(matcher.compute_logit_bias(), np.uint8)))

    return process
