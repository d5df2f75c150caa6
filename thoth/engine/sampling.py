"""How the tokens of an answer are drawn, and where it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mlx.core as mx
    import numpy as np
    from numpy.typing import NDArray

Sampler = Callable[["mx.array"], "mx.array"]  # log-probabilities (rows, vocabulary) -> token ids (rows,)
Processor = Callable[["mx.array", "mx.array"], "mx.array"]  # token ids so far, logits (1, vocabulary) -> logits


@dataclass(frozen=True)
class Sampling:
    """How the tokens of an answer are drawn.

    Attributes:
        temperature: 0 takes the most likely token; 1 draws as the model says.
        top_p: only the most likely tokens that together have this probability are drawn from; 1 for all.
        seed: the same seed draws the same answer, whatever else is answered meanwhile; None draws another each time.
        stop: texts that end the answer; they are not part of it.
        logprobs: how many of the most likely tokens are reported beside each token; None reports nothing.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None

    def sampler(self) -> Sampler | None:
        """Make the sampler of one answer; None takes the most likely token. Runs on the MLX thread."""
        if self.temperature == 0:
            return None
        import random

        import mlx.core as mx
        from mlx_lm.sample_utils import apply_top_p

        # A key of its own: MLX's global state would be drawn from by all answers in flight.
        key = mx.random.key(random.getrandbits(32) if self.seed is None else self.seed % 2**32)

        def draw(logprobs: mx.array) -> mx.array:
            nonlocal key
            key, now = mx.random.split(key)
            if self.top_p < 1:
                logprobs = apply_top_p(logprobs, self.top_p)
            return mx.random.categorical(logprobs / self.temperature, key=now)

        return draw


GREEDY = Sampling()


class Ending:
    """Holds text back that may be the beginning of a text that ends the answer.

    Args:
        stop: texts that end the answer.
    """

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._stop = tuple(filter(None, stop))
        self._held = ""

    def add(self, piece: str) -> tuple[str, bool]:
        """Take the next piece of an answer; return what may be shown, and whether the answer ends with it."""
        text = self._held + piece
        places = [place for stop in self._stop if (place := text.find(stop)) >= 0]
        if places:
            self._held = ""
            return text[: min(places)], True
        longest = max(map(len, self._stop), default=1) - 1
        held = next(
            (n for n in range(min(longest, len(text)), 0, -1) if any(s.startswith(text[-n:]) for s in self._stop)), 0
        )
        self._held = text[len(text) - held :]
        return text[: len(text) - held], False

    def rest(self) -> str:
        """What is held back when the answer ends otherwise."""
        held, self._held = self._held, ""
        return held


def only(logits: mx.array, ids: Sequence[int] | NDArray[np.integer]) -> mx.array:
    """Leave only some tokens of the vocabulary possible.

    Args:
        logits: (1, vocabulary).
        ids: the tokens; those beyond the vocabulary are none.
    """
    import mlx.core as mx
    import numpy as np

    mask = np.full(logits.shape[-1], -np.inf, np.float32)
    kept = np.asarray(ids)
    mask[kept[kept < len(mask)]] = 0.0
    return logits + mx.array(mask).astype(logits.dtype)
