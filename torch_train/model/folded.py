"""Sequences that begin alike, with what they share in the packed row once: in a causal model it is the same in all.

Prompts begin with the chat template's tokens. Of short ones these are a fifth. The frozen blocks that no adapter
reaches need to read them once, those with adapters once for each group that shares an adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from torch_train.model.buckets import Buckets, filled
from torch_train.model.moving import moved
from torch_train.model.ragged import Ragged


@dataclass(frozen=True)
class Folded:
    """A packed row of sequences, folded.

    Attributes:
        row: The sequences in the folded row of F tokens.
        kept: Which token of the whole row each of these is, (F,).
        spread: Which of these each token of the whole row is, (T,); any for tokens behind the end of a sequence.
    """

    row: Ragged
    kept: Tensor
    spread: Tensor

    @classmethod
    def of(
        cls,
        sequences: Sequence[Sequence[int] | np.ndarray],
        ends: Sequence[int] | None = None,
        groups: Sequence[int] | np.ndarray | None = None,
        most: int | None = None,
    ) -> Folded:
        """Fold sequences.

        Args:
            sequences: Token ids of each.
            ends: How many tokens of each are read, None for all. What follows cannot matter to those before it.
            groups: Group of each, in order from 0: what all begin with is kept once for each group. None for one group.
            most: Tokens that are folded at most.
        """
        lengths = np.array(list(map(len, sequences)))
        sizes = lengths if ends is None else np.asarray(ends)
        read = Ragged.of(sizes)
        of = np.zeros(read.count, dtype=np.int64) if groups is None else np.asarray(groups)
        heads = np.unique(of, return_index=True)[1]  # the first sequence of each group
        shared = _common([np.asarray(one)[:end] for one, end in zip(sequences, sizes.tolist(), strict=True)])
        shared = shared if most is None else min(shared, most)
        # Attention is over padded sequences then: not where one is so long that a mask over the row is cheaper.
        if shared and read.buckets.products >= (read.total - (read.count - len(heads)) * shared) ** 2:
            shared = 0
        positions, samples = read.positions.numpy(), read.samples.numpy()
        own = (positions >= shared) | np.isin(samples, heads)
        number = own.cumsum() - 1
        number = np.where(own, number, number[read.starts.numpy()[heads]][of[samples]] + positions)
        starts = np.cumsum(lengths) - lengths
        whole = starts[samples] + positions
        spread = np.zeros(lengths.sum(), dtype=np.int64)
        spread[whole] = number
        kept = torch.from_numpy(own)

        def folded(slots: Tensor, places: Tensor) -> Tensor:
            return torch.from_numpy(filled(len(slots), places.numpy(), number))

        buckets = read.buckets
        copies = torch.stack([buckets.places[~kept], torch.from_numpy(number[~own])]) if shared else None
        row = replace(
            read,
            total=int(own.sum()),
            positions=read.positions[kept],
            samples=read.samples[kept],
            places=read.places[kept],
            slots=folded(read.slots, read.places),
            buckets=Buckets(buckets.sizes, folded(buckets.slots, buckets.places), buckets.places[kept], copies),
            folded=shared > 0,
        )
        return cls(row, torch.from_numpy(whole[own]), torch.from_numpy(spread))

    def to(self, device: torch.device | str) -> Folded:
        """The same on another device."""
        return Folded(self.row.to(device), moved(self.kept, device), moved(self.spread, device))


def _common(sequences: list[np.ndarray]) -> int:
    """How many tokens all sequences begin with; 0 where there is but one."""
    if len(sequences) < 2:
        return 0
    least = min(map(len, sequences))
    alike = np.all([one[:least] == sequences[0][:least] for one in sequences], axis=0)
    return least if alike.all() else int(alike.argmin())
