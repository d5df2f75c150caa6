"""From a templated document to the chunks the encoder reads: as few as there can be, or a random number in stage 2."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mlx_hypernet.format.chunking import cut, equal_lengths

# How often a context is cut into so many chunks in stage 2 (arXiv 2602.15902, and the reference's settings).
STAGE_2_COUNTS: Mapping[int, float] = MappingProxyType({1: 0.5, 2: 0.125} | dict.fromkeys(range(3, 9), 0.0625))
STAGE_2_MIN_TOKENS = 25


@dataclass(frozen=True)
class Chunking:
    """How documents are cut.

    Attributes:
        max_tokens: longest chunk, not counting the prefix and suffix that are put around it.
        prefix_ids: the template's ids in front, added to every chunk that does not begin with them.
        suffix_ids: the template's ids at the end, added to every chunk that does not end with them.
        counts: number of chunks -> how often; None cuts into as few chunks as `max_tokens` allows, which is how the
            app cuts. Either way they are of equal length.
        min_tokens: about the shortest chunk where `counts` draws their number.
    """

    max_tokens: int
    prefix_ids: tuple[int, ...] = ()
    suffix_ids: tuple[int, ...] = ()
    counts: Mapping[int, float] | None = None
    min_tokens: int = STAGE_2_MIN_TOKENS

    def __post_init__(self) -> None:
        """Refuse lengths that nothing can be cut into."""
        if self.max_tokens < 1 or not 1 <= self.min_tokens <= self.max_tokens:
            raise ValueError(f"chunks of {self.min_tokens} to {self.max_tokens} tokens are not valid")

    @property
    def affixes(self) -> tuple[int, int]:
        """Number of the template's tokens before and after each chunk."""
        return len(self.prefix_ids), len(self.suffix_ids)

    def chunks(self, ids: Sequence[int], draw: random.Random) -> list[list[int]]:
        """Cut a templated document; no token is lost.

        Args:
            ids: The whole document after the chat template.
            draw: Where the cuts come from, if they are random.
        """
        if not ids:
            raise ValueError("cannot cut a document without tokens")
        lengths = equal_lengths(len(ids), self.max_tokens if self.counts is None else self._drawn(len(ids), draw))
        return cut(ids, lengths, self.prefix_ids, self.suffix_ids)

    def _drawn(self, tokens: int, draw: random.Random) -> int:
        """Length of the chunks of a document whose number is drawn from `counts`.

        Source: `split_too_long_ctx` of SakanaAI/doc-to-lora at baa85db. No chunk is above `max_tokens`, and no
        more of them than tokens / `min_tokens`, rounded up.
        """
        least, most = math.ceil(tokens / self.max_tokens), math.ceil(tokens / self.min_tokens)
        possible = {n: weight for n, weight in (self.counts or {}).items() if least <= n <= most and weight > 0}
        if not possible:  # longer than the largest number of chunks
            return self.max_tokens
        (count,) = draw.choices(list(possible), list(possible.values()))
        return math.ceil(tokens / count)
