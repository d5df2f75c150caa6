"""Rows and parts of batches that move: between places of a tensor, and between devices."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Distinct:
    """Tokens of a row that are the same, found on the host.

    Attributes:
        first: Place of each distinct token, (U,).
        which: Which of them each token of the row is, (T,).
    """

    first: Tensor
    which: Tensor

    @classmethod
    def of(cls, ids: Tensor) -> Distinct:
        """From the token ids of a row, (T,)."""
        _, first, which = np.unique(ids.numpy(), return_index=True, return_inverse=True)
        return cls(torch.from_numpy(first), torch.from_numpy(which))

    def to(self, device: torch.device | str) -> Distinct:
        """The same on another device."""
        return Distinct(moved(self.first, device), moved(self.which, device))


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


def moved_rows(
    x: Tensor, taken: Tensor, back: Tensor, *, spread: bool = False, dim: int = 0, copies: Tensor | None = None
) -> Tensor:
    """`x.index_select(dim, taken)` whose backward pass adds up nothing but copies.

    Args:
        x: (..., N, ...).
        taken: The rows to take; some may be taken more often, if what is made of them has no gradient.
        back: Where the gradient of each row is; with `spread`, which rows have one.
        spread: Whether some rows are not taken.
        dim: The axis of the rows.
        copies: Further places of rows that are taken more often, and these rows, (2, K).
    """
    moved: Tensor = _Moved.apply(x, taken, back, dim, spread, copies)
    return moved


class _Moved(torch.autograd.Function):
    """Rows taken by their index; backward moves them back without adding up, which PyTorch's own index must."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, taken: Tensor, back: Tensor, dim: int, spread: bool, copies: Tensor | None
    ) -> Tensor:
        """`x` at `taken` along `dim`; with `spread`, backward leaves zeros where nothing was taken."""
        ctx.save_for_backward(back, copies)
        ctx.dim, ctx.spread, ctx.size = dim, spread, x.shape[dim]
        return x.index_select(dim, taken)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None, None]:  # type: ignore[override]
        """The gradient of `x`."""
        back, copies = ctx.saved_tensors
        if not ctx.spread:
            found = gradient.index_select(ctx.dim, back)
            if copies is not None:
                found.index_add_(ctx.dim, copies[1], gradient.index_select(ctx.dim, copies[0]))
            return found, None, None, None, None, None
        shape = list(gradient.shape)
        shape[ctx.dim] = ctx.size
        return gradient.new_zeros(shape).index_copy_(ctx.dim, back, gradient), None, None, None, None, None
