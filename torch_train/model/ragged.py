"""Sequences of different lengths in one packed row, and the same sequences padded: what moves tokens between the two.

Everything is counted on the host while a batch is packed, so that a forward pass reads nothing back from the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from torch_train.model.buckets import Buckets, Cost, filled, similar
from torch_train.model.moving import moved, moved_rows

# In products of a query and a key: tokens are moved there and back, and a bucket takes some ten operations more.
COST = Cost(linear=32, square=1, bucket=65536)


@dataclass(frozen=True)
class Ragged:
    """M sequences of T tokens in all, one after the other, and their places in M padded rows.

    Attributes:
        count: Number of sequences, M.
        longest: Tokens of the longest one.
        total: Tokens of all, T.
        positions: Place of each token in its sequence, (T,).
        samples: Sequence of each token, (T,).
        starts: Where each sequence begins, and the end of the last, (M + 1,) int32.
        places: Place of each token in the flattened padded rows, (T,).
        slots: Token that goes to each of these places, (M * longest,). Padding takes any token, each about as often.
        mask: Which places hold a token, (M, longest) bool.
        buckets: The same sequences, padded among those of similar length.
        folded: Whether sequences share tokens, which lie in the row once (`Folded`).
    """

    count: int
    longest: int
    total: int
    positions: Tensor
    samples: Tensor
    starts: Tensor
    places: Tensor
    slots: Tensor
    mask: Tensor
    buckets: Buckets
    folded: bool = False

    @classmethod
    def of(cls, lengths: Sequence[int] | np.ndarray) -> Ragged:
        """From the length of each sequence; some may be 0."""
        sizes = np.asarray(lengths, dtype=np.int64)
        count, total, longest = len(sizes), int(sizes.sum()), int(sizes.max(initial=0))
        starts = np.concatenate([[0], sizes.cumsum()])
        samples = np.repeat(np.arange(count), sizes)
        positions = np.arange(total) - starts[samples]
        places = samples * longest + positions
        slots = filled(count * longest, places, np.arange(total))
        mask = np.arange(longest) < sizes[:, None]
        of = torch.from_numpy
        tensors = (of(positions), of(samples), of(starts.astype(np.int32)), of(places), of(slots), of(mask))
        return cls(count, longest, total, *tensors, Buckets.of(sizes, similar(sizes, COST)))

    @property
    def full(self) -> bool:
        """Whether nothing is padded."""
        return self.count * self.longest == self.total

    def pad(self, x: Tensor, dim: int = 0) -> Tensor:
        """(..., T, ...) -> (..., M, longest, ...); places without a token hold any numbers, and have no gradient."""
        padded = x if self.full else moved_rows(x, self.slots, self.places, dim=dim)
        return padded.unflatten(dim, (self.count, self.longest))

    def to(self, device: torch.device | str) -> Ragged:
        """The same on another device."""
        return Ragged(*(moved(getattr(self, part.name), device) for part in fields(self)))
