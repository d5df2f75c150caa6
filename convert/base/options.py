"""How a base is converted, whatever it is converted from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class BaseOptions:
    """What the user decides about a converted base.

    Attributes:
        dtype: of the weights that are not quantised, and of scales: `float32`, `bfloat16` or `float16`.
        q_bits: bits of quantised weights (affine, groups of 64): 8, 6 or 4; None for no quantisation.
        down_proj_bits: bits of the `down_proj` weights, where adapters sit: 8, or 16 for not quantised; None for
            `q_bits`.
        verify: number of seeded prompts on which transformers and MLX are compared; 0 for none.
        force: whether to replace a base that is at the destination.
    """

    dtype: str
    q_bits: int | None = None
    down_proj_bits: int | None = None
    verify: int = 0
    force: bool = False
