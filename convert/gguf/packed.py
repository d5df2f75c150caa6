"""GGUF's quantised blocks to MLX's affine ones, bit for bit.

Both store `scale * q + bias` for groups of 32 weights: Q4_1 and Q5_1 as they are, Q4_0, Q5_0 and Q8_0 with the
bias -8, -16 and -128 scales, which fp16 holds exactly. Only the order of the bits differs. K-quants have scales of
more bits than fp16 holds, or groups of 16, so they are dequantised.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import numpy as np
from gguf.constants import GGMLQuantizationType as Type

GROUP_SIZE = 32


@dataclass(frozen=True)
class Packing:
    """How a block of 32 weights is laid out: its scale in fp16, its bias, its fifth bits, its numbers.

    Attributes:
        bits: of a number.
        offset: what is subtracted from a number; None where the block stores its own bias, in fp16.
    """

    bits: int
    offset: int | None

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Bytes of the four parts of a block."""
        fifth = GROUP_SIZE // 8 if self.bits == 5 else 0
        return 2, 0 if self.offset else 2, fifth, GROUP_SIZE if self.bits == 8 else GROUP_SIZE // 2


PACKINGS = {
    Type.Q4_0: Packing(4, 8),
    Type.Q4_1: Packing(4, None),
    Type.Q5_0: Packing(5, 16),
    Type.Q5_1: Packing(5, None),
    Type.Q8_0: Packing(8, 128),
}


def repack(blocks: np.ndarray, kind: Type) -> tuple[mx.array, mx.array, mx.array]:
    """Turn rows of blocks into MLX's three arrays.

    Args:
        blocks: (rows, bytes of a row), uint8.
        kind: of the blocks, one of `PACKINGS`.

    Returns:
        Packed weights (rows, words) uint32, scales and biases (rows, groups) fp16.
    """
    packing = PACKINGS[kind]
    groups = blocks.reshape(len(blocks), -1, sum(packing.sizes))
    scale, bias, fifth, numbers = np.split(groups, np.cumsum(packing.sizes)[:-1], axis=-1)
    scales = _fp16(scale)
    biases = scales * np.float16(-packing.offset) if packing.offset else _fp16(bias)
    if packing.bits == 8:
        words = numbers ^ np.uint8(128)  # signed to unsigned
    else:
        # The first half of a block is in the low four bits, the second in the high ones.
        values = np.concatenate([numbers & 15, numbers >> 4], axis=-1)
        if packing.bits == 5:
            values |= np.unpackbits(fifth, axis=-1, bitorder="little") << 4
        words = _packed(values, packing.bits)
    packed = np.ascontiguousarray(words.reshape(len(blocks), -1)).view(np.uint32)
    return mx.array(packed), mx.array(scales), mx.array(biases)


def _fp16(part: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(part).view(np.float16)[..., 0]


def _packed(values: np.ndarray, bits: int) -> np.ndarray:
    """Numbers of `bits` bits, one after the other from the lowest bit on, as bytes."""
    if bits == 4:
        return values[..., ::2] | values[..., 1::2] << 4
    each = np.unpackbits(values[..., None], axis=-1, bitorder="little", count=bits)
    return np.packbits(each.reshape(*values.shape[:-1], -1), axis=-1, bitorder="little")
