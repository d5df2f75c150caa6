"""From a templated document to the chunks the encoder reads: of equal length, or cut at random for stage 2."""

from __future__ import annotations

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
        counts: number of chunks -> how often; None cuts into as few chunks of equal length as `max_tokens` allows,
            which is how the app cuts.
        min_tokens: shortest chunk where `counts` draws their number.
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

    def chunks(self, ids: Sequence[int], draw: random.Random) -> list[list[int]]:
        """Cut a templated document; no token is lost.

        Args:
            ids: The whole document after the chat template.
            draw: Where the cuts come from, if they are random.
        """
        if not ids:
            raise ValueError("cannot cut a document without tokens")
        random_cuts = self.counts is not None
        lengths = self._drawn(len(ids), draw) if random_cuts else equal_lengths(len(ids), self.max_tokens)
        return cut(ids, lengths, self.prefix_ids, self.suffix_ids)

    def _drawn(self, tokens: int, draw: random.Random) -> list[int]:
        """Lengths of chunks: their number is drawn from `counts` where possible, each length then evenly."""
        shortest, longest = self.min_tokens, self.max_tokens
        counts = (self.counts or {}).items()
        possible = {n: weight for n, weight in counts if n * shortest <= tokens <= n * longest and weight > 0}
        if not possible:  # shorter than a chunk, or longer than the largest number of them
            return equal_lengths(tokens, longest)
        count = draw.choices(list(possible), list(possible.values()))[0]
        lengths = []
        for others in reversed(range(count)):  # what is left must still fit the other chunks
            length = draw.randint(max(shortest, tokens - others * longest), min(longest, tokens - others * shortest))
            lengths.append(length)
            tokens -= length
        draw.shuffle(lengths)  # else the first chunks would tend to be the longer ones
        return lengths
