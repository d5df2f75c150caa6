"""Sequences of a packed row, padded among those of similar length: one long one does not fill up all the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from torch_train.model.moving import moved, moved_rows


class Cost(NamedTuple):
    """What a padded row of L tokens costs, `linear * L + square * L²`, and a bucket besides, in the same unit."""

    linear: float
    square: float
    bucket: float


@dataclass(frozen=True)
class Buckets:
    """Padded rows of different widths, and which token is where.

    Attributes:
        sizes: Of each bucket: its sequences, and tokens of the longest.
        slots: Token at each place of the padded rows, one bucket after the other, (P,). Padding takes any token, each
            about as often: all of it from one token would add up its gradient there.
        places: Place there of each token, (T,).
        copies: Further places of tokens that sequences share, and these tokens, (2, K); None where none do.
    """

    sizes: tuple[tuple[int, int], ...]
    slots: Tensor
    places: Tensor
    copies: Tensor | None = None

    @classmethod
    def of(cls, lengths: np.ndarray, members: Sequence[np.ndarray]) -> Buckets:
        """From the length of each sequence, and the sequences of each bucket in ascending order."""
        starts = np.cumsum(lengths) - lengths
        places = np.zeros(lengths.sum(), dtype=np.int64)
        sizes, end = [], 0
        for some in members:
            of, longest = lengths[some], int(lengths[some].max(initial=0))
            rows = np.repeat(np.arange(len(some)), of)
            positions = np.arange(of.sum()) - np.repeat(np.cumsum(of) - of, of)
            places[starts[some][rows] + positions] = end + rows * longest + positions
            sizes.append((len(some), longest))
            end += len(some) * longest
        return cls(
            tuple(sizes), torch.from_numpy(filled(end, places, np.arange(len(places)))), torch.from_numpy(places)
        )

    @property
    def products(self) -> int:
        """Products of queries and keys that attention within the padded rows makes."""
        return sum(count * longest**2 for count, longest in self.sizes)

    def pad(self, x: Tensor) -> list[Tensor]:
        """(T, ...) -> of each bucket (sequences, longest, ...)."""
        x = x if self._unmoved else moved_rows(x, self.slots, self.places, copies=self.copies)
        if len(self.sizes) == 1:
            return [x.unflatten(0, self.sizes[0])]
        parts = x.split([count * longest for count, longest in self.sizes])
        return [part.unflatten(0, size) for part, size in zip(parts, self.sizes, strict=True)]

    def unpad(self, parts: Sequence[Tensor]) -> Tensor:
        """Back to (T, ...)."""
        x = torch.cat([part.flatten(0, 1) for part in parts]) if len(parts) > 1 else parts[0].flatten(0, 1)
        return x if self._unmoved else moved_rows(x, self.places, self.places, spread=True)

    @property
    def _unmoved(self) -> bool:
        return len(self.sizes) == 1 and len(self.slots) == len(self.places) and self.copies is None

    def to(self, device: torch.device | str) -> Buckets:
        """The same on another device."""
        return Buckets(*(moved(getattr(self, part.name), device) for part in fields(self)))


def filled(count: int, places: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Token at each of `count` places: `tokens` at `places`, elsewhere each of them about as often, (count,)."""
    slots = np.arange(count) % (int(tokens.max(initial=0)) + 1)
    slots[places] = tokens
    return slots


def similar(lengths: np.ndarray, cost: Cost) -> list[np.ndarray]:
    """Numbers of the sequences that are padded together, so that all buckets together cost least.

    Args:
        lengths: Of the sequences; some may be 0.
        cost: Of a padded row and of a bucket.

    Returns:
        The numbers of each bucket's sequences, ascending; buckets by length.
    """
    least = lengths[lengths > 0].min(initial=lengths.max(initial=0))
    sizes, which, counts = np.unique(np.maximum(lengths, least), return_inverse=True, return_counts=True)
    row = sizes * (cost.linear + cost.square * sizes)
    until = np.concatenate([[0], counts.cumsum()])
    best, cuts = np.zeros(len(sizes) + 1), []  # least cost of the shortest ones, and where their last bucket begins
    for end in range(1, len(sizes) + 1):
        total = best[:end] + (until[end] - until[:end]) * row[end - 1]
        cuts.append(int(total.argmin()))
        best[end] = total[cuts[-1]] + cost.bucket
    found, end = [], len(sizes)
    while end:
        start = cuts[end - 1]
        found.append(np.flatnonzero((which >= start) & (which < end)))
        end = start
    return found[::-1]
