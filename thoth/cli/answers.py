"""Answers and documents as text for stdout: JSON objects, lines with sources, a table of three ways to answer."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from thoth.actions.describe import facts
from thoth.cli import console, table

if TYPE_CHECKING:
    from thoth.events import Answer, Event, Passage

__all__ = ["Source", "as_json", "compared", "dump", "facts", "sources"]


@dataclass(frozen=True)
class Source:
    """A document that an answer is based on; 0 chunks where its text was in the context."""

    id: str
    name: str
    chunks: int


def as_json(
    answer: "Answer", model: str, documents: Sequence[Source], chat: str | None, steps: Mapping[str, Any]
) -> str:
    """Return what `thoth ask --json` prints: `chat` is the id of the stored chat, `steps` an agent's steps."""
    known = facts_of(answer, model)
    head = {"answer": known.pop("answer"), "model": known.pop("model")}
    return dump({**head, "documents": [asdict(document) for document in documents], **known, **steps, "chat": chat})


def facts_of(answer: "Answer", model: str) -> dict[str, Any]:
    """Return what JSON says about every answer."""
    return {
        "answer": answer.text,
        "model": model,
        "support": answer.support,
        "sources": [asdict(passage) for passage in answer.sources],
        "stats": asdict(answer.stats),
    }


def listener(write: bool) -> Callable[["Event"], None]:
    """Return what shows how far an answer is, and prints its pieces at once if they are to be written."""
    from thoth.events import Progress, Token

    def listen(event: "Event") -> None:
        match event:
            case Progress(stage="check"):
                console.progress_line.show("answering; the answer is checked before it is shown:", event)
            case Progress(stage="look"):
                console.progress_line.show("nothing supports the answer; reading the best passage", event)
            case Token() if write:
                console.progress_line.clear()
                sys.stdout.write(event.text)
                sys.stdout.flush()
            case _:
                console.progress_line.clear()

    return listen


def sources(passages: "Sequence[Passage]") -> str:
    """Return a line for each passage that supports an answer: document, page, headings, and its words."""
    from thoth.actions.ask import NOT_FOUND, explain

    return "\n".join(f'{place}: "{quote}"' for place, quote in explain(passages)) or NOT_FOUND


def compared(ways: "Mapping[str, Answer]") -> str:
    """Return one row for each way to answer: its name, the document tokens it read, its answer."""
    rows = [
        (way, str(answer.stats.document_tokens_in_context), " ".join(answer.text.split()))
        for way, answer in ways.items()
    ]
    tokens = "document tokens in context"
    return table.show(("", tokens, "answer"), rows, right=(tokens,))


def dump(result: object) -> str:
    """Return one JSON object as all commands print it."""
    return json.dumps(result, ensure_ascii=False, indent=2)
