"""A question, its answer, and what is answered where a document has none."""

from __future__ import annotations

import random
from dataclasses import dataclass

# The first is the usual one: one refusal is learnt faster than four.
REFUSALS = (
    "The document does not say.",
    "The document does not mention this.",
    "This is not in the document.",
    "The document gives no answer to this.",
)
_WEIGHTS = (7, 1, 1, 1)


@dataclass(frozen=True)
class Question:
    """A question about a text.

    Attributes:
        text: The question.
        answer: The value as it stands in the note, the passage's reference answer, or a refusal.
        known: The text has the answer.
        attribute: Name of the attribute that is asked for; empty for passages.
        kind: Kind of the note, or source of the passage.
        accepted: All reference answers of a passage's question, `answer` among them.
    """

    text: str
    answer: str
    known: bool
    attribute: str
    kind: str
    accepted: tuple[str, ...] = ()


def refusal(draw: random.Random) -> str:
    """One of `REFUSALS`."""
    return draw.choices(REFUSALS, _WEIGHTS)[0]
