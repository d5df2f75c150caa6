"""Sequences of different lengths in one packed row, and the same sequences padded: what moves tokens between the two.

Everything is counted on the host while a batch is packed, so that a forward pass reads nothing back from the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor


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
        slots = np.arange(count * longest) % max(1, total)  # all padding from one token would add up its gradient there
        slots[places] = np.arange(total)
        mask = np.arange(longest) < sizes[:, None]
        of = torch.from_numpy
        tensors = (of(positions), of(samples), of(starts.astype(np.int32)), of(places), of(slots), of(mask))
        return cls(count, longest, total, *tensors)

    @property
    def full(self) -> bool:
        """Whether nothing is padded."""
        return self.count * self.longest == self.total

    def pad(self, x: Tensor, dim: int = 0) -> Tensor:
        """(..., T, ...) -> (..., M, longest, ...); places without a token hold any numbers, and have no gradient."""
        padded = x if self.full else _Moved.apply(x, self.slots, self.places, dim, False)
        return padded.unflatten(dim, (self.count, self.longest))

    def unpad(self, x: Tensor) -> Tensor:
        """(M, longest, ...) -> (T, ...)."""
        x = x.flatten(0, 1)
        return x if self.full else _Moved.apply(x, self.places, self.places, 0, True)

    def to(self, device: torch.device | str) -> Ragged:
        """The same on another device."""
        return Ragged(*(moved(getattr(self, part.name), device) for part in fields(self)))


def pinned(part: Any) -> Any:
    """A part of a batch in memory that a GPU copies from by itself."""
    if isinstance(part, Tensor):
        return part.pin_memory()
    if not is_dataclass(part) or isinstance(part, type):
        return part
    return replace(part, **{one.name: pinned(getattr(part, one.name)) for one in fields(part)})


def moved(part: Any, device: torch.device | str) -> Any:
    """A part of a batch on another device; numbers stay as they are."""
    if isinstance(part, Tensor):
        return part.to(device, non_blocking=True)
    return part.to(device) if hasattr(part, "to") else part


def moved_rows(x: Tensor, taken: Tensor, back: Tensor, spread: bool = False) -> Tensor:
    """`x.index_select(0, taken)` whose backward pass adds nothing up.

    Args:
        x: (N, ...).
        taken: The rows to take; some may be taken more often, if what is made of them has no gradient.
        back: Where the gradient of each row is; with `spread`, which rows have one.
        spread: Whether some rows are not taken.
    """
    moved: Tensor = _Moved.apply(x, taken, back, 0, spread)
    return moved


class _Moved(torch.autograd.Function):
    """Rows taken by their index; backward moves them back without adding up, which PyTorch's own index must."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, taken: Tensor, back: Tensor, dim: int, spread: bool) -> Tensor:
        """`x` at `taken` along `dim`; with `spread`, backward leaves zeros where nothing was taken."""
        ctx.save_for_backward(back)
        ctx.dim, ctx.spread, ctx.size = dim, spread, x.shape[dim]
        return x.index_select(dim, taken)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:  # type: ignore[override]
        """The gradient of `x`."""
        (back,) = ctx.saved_tensors
        if not ctx.spread:
            return gradient.index_select(ctx.dim, back), None, None, None, None
        shape = list(gradient.shape)
        shape[ctx.dim] = ctx.size
        return gradient.new_zeros(shape).index_copy_(ctx.dim, back, gradient), None, None, None, None
