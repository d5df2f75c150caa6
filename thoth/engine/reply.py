"""A question, and the answer to it so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thoth.engine.adapters import Refs
from thoth.engine.grammar import Choosing, Mask
from thoth.engine.parsing import CallReader
from thoth.engine.prompt import Message, Prompt
from thoth.engine.request import Task
from thoth.engine.sampling import GREEDY, Ending, Processor, Sampler, Sampling
from thoth.events import Drawn, Passage
from thoth.ingest import Document
from thoth.library.records import StoredDocument
from thoth.retrieval.routing import Routing

if TYPE_CHECKING:
    from mlx_hypernet.live import Fitted
    from thoth.retrieval.choosing import Choice


@dataclass(frozen=True)
class Question:
    """A question; for most fields see `Engine.ask`.

    Attributes:
        sentences: how many sentences of its passages are read; 0 for all.
        asked_at: when it was asked.
    """

    messages: Sequence[Message]
    documents: Sequence[StoredDocument] = ()
    context: Sequence[Document] = ()
    routing: Routing = field(default_factory=Routing)
    max_tokens: int = 256
    sampling: Sampling = GREEDY
    constrain: Callable[[Any], Processor] | None = None
    tools: Sequence[Mapping[str, Any]] = ()
    calls: Choosing = "auto"
    sentences: int = 0
    asked_at: float = field(default_factory=time.perf_counter)


@dataclass
class Reply:
    """A question that is being answered, and the answer so far.

    Attributes:
        asking: the prompt.
        refs: chunks of the adapter that the row runs with.
        adapter: what the answer comes from, None for the base alone.
        ending: finds the texts that end the answer.
        sampler: draws the tokens, None takes the most likely.
        reader: takes the tokens of tool calls, None without tools.
        mask: constrains the calls, None where no grammar describes them.
        processors: what else changes the logits.
        quotes: the sentences that are read of a small base's passages; they are the answer if nothing supports it.
        row: id in the decoder; None while the question waits for room there.
        said: the tokens so far.
        told: how many of the drawn tokens were reported.
    """

    task: Task
    question: Question
    searched: str
    choice: Choice
    asking: Prompt
    refs: Refs
    adapter: Fitted | None
    absorb_seconds: float
    attach_seconds: float
    detokenizer: Any
    ending: Ending
    sampler: Sampler | None
    max_tokens: int
    reader: CallReader | None = None
    mask: Mask | None = None
    processors: list[Processor] = field(default_factory=list)
    quotes: Sequence[Passage] = ()
    row: int | None = None
    cached_tokens: int = 0
    text: str = ""
    said: list[int] = field(default_factory=list)
    first_token_at: float = 0.0
    drawn: list[Drawn] = field(default_factory=list)
    told: int = 0
