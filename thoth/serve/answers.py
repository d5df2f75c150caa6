"""An answer of the engine -> what both of OpenAI's dialects say about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from thoth.events import Answer, Drawn
from thoth.serve.faults import Fault
from thoth.serve.metrics import Metrics
from thoth.serve.shapes import Part

# What nobody here sees: an answer about it would be made up.
_NOT_READ = {"image_url", "input_image", "input_audio", "file", "input_file"}


def text(content: str | Sequence[Part] | None) -> str:
    """Return the text of a message.

    Raises:
        Fault: It has a picture, a sound or a file.
    """
    if content is None or isinstance(content, str):
        return content or ""
    if unread := next((part.type for part in content if part.type in _NOT_READ), None):
        raise Fault(400, f"content of type {unread} is not read; send text, or upload the file to /v1/files")
    return "\n".join(part.text for part in content if part.text)


def thoth(answer: Answer, pair: str) -> dict[str, Any]:
    """Return the object `thoth` of a response, as `thoth ask --json` has it."""
    stats = asdict(answer.stats)
    return {
        "model": pair,
        "support": answer.support,
        "document_tokens_in_context": answer.stats.document_tokens_in_context,
        "chunks": stats.pop("chunks"),
        "sources": [asdict(passage) for passage in answer.sources],
        "stats": stats,
    }


def usage(answer: Answer) -> dict[str, Any]:
    """Return the object `usage` of a chat completion."""
    stats = answer.stats
    return {
        "prompt_tokens": stats.prompt_tokens,
        "completion_tokens": stats.generated_tokens,
        "total_tokens": stats.prompt_tokens + stats.generated_tokens,
        "prompt_tokens_details": {"cached_tokens": stats.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        "document_tokens_in_context": stats.document_tokens_in_context,
    }


def count(answer: Answer, metrics: Metrics) -> None:
    """Note an answer in the metrics."""
    stats = answer.stats
    metrics.first_token.observe(stats.time_to_first_token_seconds)
    metrics.prompt_tokens.inc(stats.prompt_tokens)
    metrics.cached_tokens.inc(stats.cached_tokens)
    metrics.generated_tokens.inc(stats.generated_tokens)
    metrics.answers.labels(answer.support).inc()


def drawn(tokens: Sequence[Drawn]) -> list[dict[str, Any]]:
    """Return log-probabilities as both dialects list them."""

    def one(text: str, logprob: float) -> dict[str, Any]:
        return {"token": text, "logprob": max(logprob, -9999.0), "bytes": list(text.encode())}

    return [
        one(token.text, token.logprob) | {"top_logprobs": [one(*likely) for likely in token.likely]} for token in tokens
    ]


def event(data: object, name: str | None = None) -> str:
    """Return one server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"
