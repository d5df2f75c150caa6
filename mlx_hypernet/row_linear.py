"""A linear layer with one adapter for all rows of a batch, or one for each row."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
from mlx import nn

Pair = tuple[mx.array, mx.array]  # A (d_in, r) and B (r, d_out); of a stack (rows, d_in, r) and (rows, r, d_out)


class RowLinear(nn.Module):
    """The base's linear, quantised or not, and what adapters add to its output, as mlx-lm's `LoRALinear` does.

    Args:
        linear: the base's own, which is not changed inside.

    Attributes:
        pairs: see `adapt`; none at first.
    """

    def __init__(self, linear: nn.Module) -> None:
        super().__init__()
        self.linear = linear
        self.adapt((), 0.0)

    def adapt(self, pairs: Sequence[Pair | None], scale: float) -> None:
        """Set the adapters of the inputs to come.

        Args:
            pairs: one for all rows, or a stack with one of each; or one for each row, None for the base alone; empty:
                the base alone for all rows.
            scale: factor of each.
        """
        self._pairs, self._scale = pairs, scale  # underscores: they are no parameters of the base

    @property
    def pairs(self) -> Sequence[Pair | None]:
        """What was set."""
        return self._pairs

    def __call__(self, x: mx.array) -> mx.array:
        """(rows, T, d_in) -> (rows, T, d_out); the sum of the adapter is computed in its own dtype."""
        y: mx.array = self.linear(x)
        if not self._pairs:
            return y
        if len(self._pairs) == 1 and (pair := self._pairs[0]) is not None:
            a, b = pair
            delta = (x @ a) @ b
        else:
            delta = self._row_by_row(x, y)
        return y + (self._scale * delta).astype(x.dtype)

    def _row_by_row(self, x: mx.array, y: mx.array) -> mx.array:
        rows, tokens, d_in = x.shape
        # Matrices: the product of a batch with a matrix would cost two reshapes more.
        parts = mx.split(x.reshape(-1, d_in), rows)
        deltas = [
            mx.zeros((tokens, y.shape[-1])) if pair is None else (part @ pair[0]) @ pair[1]
            for part, pair in zip(parts, self._pairs, strict=True)
        ]
        return mx.concatenate(deltas).reshape(y.shape)
