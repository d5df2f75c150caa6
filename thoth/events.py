"""What the engine reports while it works: a closed set of frozen, typed events.

A request reports any number of `Progress`, `Token` and `Step`, then a last event: `Absorbed`, `Answer` or `Failed`.
Loading a model ends with its last `Progress`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from thoth.errors import ThothError

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument


@dataclass(frozen=True)
class Chosen:
    """A chunk whose adapter was attached.

    Attributes:
        document: id of its document.
        name: name of its document.
        number: number of the chunk in its document, from 0.
        pages: first and last page, or None for a format without pages.
        headings: the headings above it, outermost first.
        score: the router's score, higher is better; 0 if all chunks were attached.
        answers: log-odds that the chunk answers the question; None where the pair has no matcher.
        related: log-odds that it is about the same, whether it answers it or not; None likewise.
        certainty: mean log-probability of what it said, in nats; None where it was not asked by itself.
    """

    document: str
    name: str
    number: int
    pages: tuple[int, int] | None
    headings: tuple[str, ...]
    score: float
    answers: float | None = None
    related: float | None = None
    certainty: float | None = None


@dataclass(frozen=True)
class Passage:
    """A passage of the stored text that supports an answer.

    Attributes:
        document: id of the document.
        name: name of the document.
        chunk: number of the chunk, from 0.
        page: page, from 1, or None for a format without pages.
        headings: the headings above it, outermost first.
        quote: the text of the passage.
        score: how well it supports the answer, 0 to 1.
    """

    document: str
    name: str
    chunk: int
    page: int | None
    headings: tuple[str, ...]
    quote: str
    score: float


@dataclass(frozen=True)
class Stats:
    """What one answer cost.

    Attributes:
        document_tokens_in_context: tokens of documents in the prompt; 0 when the answer comes from weights.
        prompt_tokens: all tokens of the prompt.
        generated_tokens: tokens of the answer, without the end-of-answer token.
        absorb_seconds: time spent absorbing the active documents; 0 for those found in the library.
        time_to_first_token_seconds: from the question to the first token, including the time to attach the adapter.
        tokens_per_second: generation speed after the first token.
        active_documents: number of documents whose adapters were attached.
        rank: rank of the attached adapter over all documents and chunks, 0 without one.
        peak_memory_bytes: peak memory of MLX since the engine started.
        attach_seconds: time to choose the chunks and attach their adapters.
        cached_tokens: prompt tokens found in a key/value cache.
        chunks: the chunks whose adapters were attached, best first.
        passages: number of passages that were looked up and read in the context.
        second_look: whether they were read because nothing supported a first answer, from the weights alone.
        quoted: whether the text quotes the documents: nothing supported the second answer either, and this is what was
            read for it; or a whole text was asked for, and these sentences say what it is about.
    """

    document_tokens_in_context: int
    prompt_tokens: int
    generated_tokens: int
    absorb_seconds: float
    time_to_first_token_seconds: float
    tokens_per_second: float
    active_documents: int
    rank: int
    peak_memory_bytes: int
    attach_seconds: float = 0.0
    cached_tokens: int = 0
    chunks: tuple[Chosen, ...] = ()
    passages: int = 0
    second_look: bool = False
    quoted: bool = False


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps of a stage are finished.

    The stages: "load", "read", "absorb"; of a question "check", while an answer is held back until it is known what it
    is based on (its tokens so far, of the most it may have), and "look", when a passage is read for a second answer.

    Attributes:
        stage: name of the stage.
        done: number of finished steps; for "absorb", chunks.
        total: number of all steps.
        tokens_per_second: speed so far, 0 if not known yet.
        seconds_left: estimate, None if not known yet.
        pages: number of pages of the document, None for a format without pages.
        document: for "absorb", its entry in the library so far.
    """

    stage: str
    done: int
    total: int
    tokens_per_second: float = 0.0
    seconds_left: float | None = None
    pages: int | None = None
    document: StoredDocument | None = None


@dataclass(frozen=True)
class Drawn:
    """A token that was drawn, and how likely it was.

    Attributes:
        text: the token by itself; a token may be a part of a character.
        logprob: its log-probability, in nats.
        likely: the most likely tokens in its place with their log-probabilities, best first.
    """

    text: str
    logprob: float
    likely: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Token:
    """The next piece of the answer; the pieces together are the answer's text.

    Attributes:
        text: the piece.
        drawn: the tokens drawn since the last piece, where log-probabilities were asked for.
    """

    text: str
    drawn: tuple[Drawn, ...] = ()


@dataclass(frozen=True)
class Absorbed:
    """A document is in the library and can be asked about."""

    document: StoredDocument


@dataclass(frozen=True)
class Call:
    """A tool call as the model wrote it.

    Attributes:
        tool: name of the tool.
        arguments: its arguments, a JSON object.
    """

    tool: str
    arguments: Mapping[str, Any]


# "asking": a person is asked for permission; "refused": no permission; "stopped": by the user, or by a kill.
StepState = Literal["asking", "running", "done", "failed", "refused", "stopped"]


@dataclass(frozen=True)
class Step:
    """A tool call of an agent and what became of it. Reported at each change: the number says which step it replaces.

    Attributes:
        number: place among the steps of its turn, from 0.
        tool: name of the tool.
        arguments: its arguments, a JSON object.
        state: see `StepState`.
        text: what the model wrote before this call.
        result: what the model read: the result, a receipt, or why there is none; empty before the step ends.
        seconds: time the tool took, without the time to ask for permission.
        documents: ids of the documents that the step absorbed.
        round: number of the model's message that made the call, from 0: a message may make several.
    """

    number: int
    tool: str
    arguments: Mapping[str, Any]
    state: StepState = "running"
    text: str = ""
    result: str = ""
    seconds: float = 0.0
    documents: tuple[str, ...] = ()
    round: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state not in ("asking", "running")


# Why an answer ended: the model or a stop text ended it, or it reached its length limit.
Finish = Literal["stop", "length"]

# "supported": a sentence of the documents says so; "unsupported": documents took part, but none of them says so;
# "none": no document took part.
Support = Literal["supported", "unsupported", "none"]


@dataclass(frozen=True)
class Answer:
    """The complete answer and the passages that support it; no passage if the documents do not contain it.

    An answer that is a quote (`stats.quoted`) has the passages that it quotes.

    Attributes:
        text: the text; what comes before the calls if there are any.
        stats: what it cost.
        sources: the passages.
        finish: why it ended.
        drawn: its tokens, where log-probabilities were asked for.
        calls: the tools that the model calls; empty for an answer to a person.
        fault: why the calls that the model wrote cannot be read; empty if they can.
    """

    text: str
    stats: Stats
    sources: tuple[Passage, ...] = ()
    finish: Finish = "stop"
    drawn: tuple[Drawn, ...] = ()
    calls: tuple[Call, ...] = ()
    fault: str = ""

    @property
    def support(self) -> Support:
        """What supports the answer; see `Support`."""
        return support(self.stats, self.sources)


def support(stats: Stats, sources: Sequence[Passage]) -> Support:
    """Return what supports an answer with these passages; a quote is no answer, so nothing supports it."""
    if sources and not stats.quoted:
        return "supported"
    return "unsupported" if stats.chunks or stats.document_tokens_in_context else "none"


@dataclass(frozen=True)
class Failed:
    """The request ended without a result; `error` says why and what to do."""

    error: ThothError


Event = Progress | Token | Step | Absorbed | Answer | Failed


def is_last(event: Event) -> bool:
    """Tell whether a request ends with this event."""
    if isinstance(event, Progress):
        return event.stage == "load" and event.done == event.total
    return not isinstance(event, Token | Step)
