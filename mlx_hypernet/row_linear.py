"""A linear layer with an adapter: mlx-lm's, and one for each row of a batch.

Import it late: mlx-lm's `LoRALinear` brings its models with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
from mlx import nn
from mlx_lm.tuner.lora import LoRALinear

from mlx_hypernet.base import linear_shape

Pair = tuple[mx.array, mx.array]  # A (d_in, r) and B (r, d_out); of a stack (rows, d_in, r) and (rows, r, d_out)


class RowLinear(LoRALinear):
    """The base's linear, quantised or not, and what an adapter adds to its output.

    As it is made, and after `set_one`, it computes what `LoRALinear` does.

    Args:
        linear: the base's own.
    """

    def __init__(self, linear: nn.Module) -> None:
        super().__init__(*linear_shape(linear), r=1)
        self.linear = linear
        self._rows: Sequence[Pair | None] | None = None

    def set_one(self, pair: Pair, scale: float) -> None:
        """Set the adapter of all rows, or the stack with one of each."""
        (self.lora_a, self.lora_b), self.scale, self._rows = pair, scale, None

    def set_rows(self, pairs: Sequence[Pair | None], scale: float) -> None:
        """Set the adapter of each row, None for the base alone; empty: the base alone for any number of rows."""
        self._rows, self.scale = pairs, scale

    def __call__(self, x: mx.array) -> mx.array:
        """(rows, T, d_in) -> (rows, T, d_out)."""
        if self._rows is None:
            return super().__call__(x)
        y: mx.array = self.linear(x)
        if not self._rows:
            return y
        rows, tokens, d_in = x.shape
        # Matrices: the product of a batch with a matrix would cost two reshapes more.
        parts = mx.split(x.reshape(-1, d_in), rows)
        deltas = [
            mx.zeros((tokens, y.shape[-1])) if pair is None else (part @ pair[0]) @ pair[1]
            for part, pair in zip(parts, self._rows, strict=True)
        ]
        return y + (self.scale * mx.concatenate(deltas).reshape(y.shape)).astype(x.dtype)
