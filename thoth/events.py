"""What the engine says while it works: a closed set of frozen, typed events.

A stream is any number of `Progress` and `Token`, then a last event: `Absorbed`, `Answer` or `Failed`. Loading
a model ends with its last `Progress`.
"""

from dataclasses import dataclass

from thoth.errors import ThothError
from thoth.library import StoredDocument


@dataclass(frozen=True)
class Stats:
    """What one answer cost.

    Attributes:
        document_tokens_in_context: tokens of documents in the prompt; 0 when the answer comes from weights.
        prompt_tokens: all tokens of the prompt.
        generated_tokens: tokens of the answer, the end-of-answer token not counted.
        absorb_seconds: time spent absorbing the active documents, 0 for those found in the library.
        time_to_first_token_seconds: from the question to the first token, attaching the adapter included.
        tokens_per_second: rate of generation after the first token.
        active_documents: number of documents whose adapters were attached.
        rank: rank of the attached adapter over all documents and chunks, 0 without one.
        peak_memory_bytes: most memory MLX held since the engine started.
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


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps of a stage ("load", "absorb") are finished."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Token:
    """The next piece of the answer; the pieces together are the answer's text."""

    text: str


@dataclass(frozen=True)
class Absorbed:
    """A document is in the library and can be asked about."""

    document: StoredDocument


@dataclass(frozen=True)
class Answer:
    """The whole answer."""

    text: str
    stats: Stats


@dataclass(frozen=True)
class Failed:
    """The request ended without a result; `error` says why and what to do."""

    error: ThothError


Event = Progress | Token | Absorbed | Answer | Failed
