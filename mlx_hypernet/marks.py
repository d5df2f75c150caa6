"""What the matcher compares, and what it finds. No MLX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Marks:
    """A text as the matcher compares it.

    Attributes:
        words: (T,) int32, a number for each token: the same for tokens of the same letters, whatever their case.
        tokens: (T, width) float16, what the matcher made of the base's features.
    """

    words: NDArray[np.int32]
    tokens: NDArray[np.float16]


class Match(NamedTuple):
    """What a chunk is to a question.

    Attributes:
        answers: log-odds that it answers it.
        related: log-odds that it is about the same, whether it answers it or not.
    """

    answers: float
    related: float


def joined(texts: Sequence[Marks]) -> Marks:
    """Make one text of some, as the matcher compares it."""
    return Marks(np.concatenate([text.words for text in texts]), np.concatenate([text.tokens for text in texts]))
