"""From a templated document to the chunks the encoder reads: as few as there can be, or a random number in stage 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

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

    def chunks(self, ids: Sequence[int], share: float = 0.0) -> list[list[int]]:
        """Cut a templated document; no token is lost.

        Args:
            ids: The whole document after the chat template.
            share: In [0, 1), where the number of chunks comes from, if it is random.
        """
        if not ids:
            raise ValueError("cannot cut a document without tokens")
        (longest,) = self._longest(np.array([len(ids)]), np.array([share])).tolist()
        return cut(ids, equal_lengths(len(ids), longest), self.prefix_ids, self.suffix_ids)

    def tokens(self, lengths: np.ndarray, begins: np.ndarray, ends: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Tokens of all chunks of each document, affixes included, without cutting any.

        A chunk in the middle that happens to begin or end as the template does counts with its affix nonetheless.

        Args:
            lengths: Of the templated documents, (N,).
            begins: Whether each begins with the prefix, (N,) bool.
            ends: Whether each ends with the suffix, (N,) bool.
            shares: As `chunks` takes them, (N,).
        """
        count = np.ceil(lengths / self._longest(lengths, shares))
        count = np.ceil(lengths / np.ceil(lengths / np.maximum(count, 1)).clip(1))  # of equal length
        before, after = self.affixes
        return (lengths + count * (before + after) - before * begins - after * ends).astype(np.int64)

    def _longest(self, tokens: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Length of the chunks of each document, (N,), whose number is drawn from `counts` where there are some.

        Source: `split_too_long_ctx` of SakanaAI/doc-to-lora at baa85db. No chunk is above `max_tokens`, and no
        more of them than tokens / `min_tokens`, rounded up.
        """
        longest = np.full(len(tokens), self.max_tokens)
        if self.counts is None:
            return longest
        numbers, weights = np.array(list(self.counts)), np.array(list(self.counts.values()))
        least, most = (np.ceil(tokens / bound)[:, None] for bound in (self.max_tokens, self.min_tokens))
        possible = (numbers >= least) & (numbers <= most)
        total = (possible * weights).cumsum(1)
        drawn = numbers[(total <= shares[:, None] * total[:, -1:]).sum(1).clip(max=len(numbers) - 1)]
        # A document that is longer than the largest number of chunks is cut as if none were drawn.
        return np.where(total[:, -1] > 0, np.ceil(tokens / drawn), longest).astype(np.int64)
