"""Answers as text for stdout: one JSON object, or a table of several ways to get one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from thoth.events import Answer

_STATS = (
    "document_tokens_in_context",
    "prompt_tokens",
    "generated_tokens",
    "absorb_seconds",
    "time_to_first_token_seconds",
    "tokens_per_second",
    "rank",
    "peak_memory_bytes",
)
_HEADINGS = ("", "document tokens in context", "answer")


@dataclass(frozen=True)
class Source:
    """A document an answer stands on; without chunks, where it was read in the context."""

    id: str
    name: str
    chunks: int


def as_json(answer: Answer, model: str, sources: Sequence[Source]) -> str:
    """Return the object that `thoth ask --json` prints; its schema is in `docs/architecture.md`."""
    result = {
        "answer": answer.text,
        "model": model,
        "documents": [asdict(source) for source in sources],
        "stats": {name: getattr(answer.stats, name) for name in _STATS},
    }
    return json.dumps(result, ensure_ascii=False, indent=2)


def table(ways: Mapping[str, Answer]) -> str:
    """Return one row for each way of answering: its name, the document tokens it read, its answer."""
    rows = [_HEADINGS]
    for way, answer in ways.items():
        rows.append((way, str(answer.stats.document_tokens_in_context), " ".join(answer.text.split())))
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"{way:<{first}}  {tokens:>{second}}  {text}".rstrip() for way, tokens, text in rows)
