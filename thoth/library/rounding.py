"""Adapters in 16 bits: half the disk and half the reading (docs/decisions/2026-11-29-adapters-in-16-bits.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mlx.core as mx

# What fp16 holds with all of its 11 bits.
_SMALLEST, _LARGEST = 2.0**-14, 65504.0


def in_16_bits(matrices: mx.array) -> mx.array:
    """Round fp32 to fp16, where that moves no number by more than 2^-11 of the largest one in its matrix.

    All stay in fp32 if the largest number of one is outside fp16's normal range, or not a number. Other types are not
    changed: bf16 is what a GPU computes in.

    Args:
        matrices: (L, r, d).
    """
    import mlx.core as mx

    if matrices.dtype != mx.float32:
        return matrices
    largest = mx.abs(matrices).max(axis=(-2, -1))
    fits = (largest == 0) | ((largest >= _SMALLEST) & (largest <= _LARGEST))
    return matrices.astype(mx.float16) if fits.all().item() else matrices
