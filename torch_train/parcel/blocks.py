"""Weights that came out of quantised blocks, packed again without loss.

A base from a GGUF file in Q4_1 and Q8_0 takes 4 bytes a weight once it is converted, and has at most 16 or 255 values
in each block of 32. Here a block is a scale and an offset in fp16 and 32 small numbers again (ggml's `block_q4_1` and
`block_q8_0`); a tensor that these do not give back bit for bit is kept as it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BLOCK = 32
_LEVELS, _LARGEST = 15, 127  # of Q4_1 and Q8_0


@dataclass(frozen=True)
class Packed:
    """One tensor.

    Attributes:
        scheme: `q4_1`, `q8_0` or `plain`.
        shape: Its shape.
        dtype: numpy's name of its type.
        streams: Compressed bytes: numbers, then the low and high bytes of scales and of offsets.
    """

    scheme: str
    shape: tuple[int, ...]
    dtype: str
    streams: tuple[bytes, ...]


def pack(tensor: np.ndarray) -> Packed:
    """Pack a tensor in the smallest scheme that gives it back bit for bit."""
    if tensor.dtype == np.float32 and tensor.ndim == 2 and tensor.shape[1] % BLOCK == 0:
        for scheme, quantise in _QUANTISERS.items():
            parts = quantise(tensor.reshape(-1, BLOCK))
            if np.array_equal(_READERS[scheme](*parts).view(np.uint32), tensor.reshape(-1, BLOCK).view(np.uint32)):
                return Packed(scheme, tensor.shape, tensor.dtype.name, _streams(parts))
    return Packed("plain", tensor.shape, tensor.dtype.name, (zlib.compress(tensor.tobytes(), 6),))


def unpack(packed: Packed) -> np.ndarray:
    """The tensor that was packed.

    Raises:
        ValueError: The streams do not belong to such a tensor.
    """
    raw = [zlib.decompress(stream) for stream in packed.streams]
    if packed.scheme == "plain":
        return np.frombuffer(raw[0], packed.dtype).reshape(packed.shape)
    numbers = np.frombuffer(raw[0], np.int8 if packed.scheme == "q8_0" else np.uint8)
    halves = [_joined(low, high) for low, high in zip(raw[1::2], raw[2::2], strict=True)]
    return _READERS[packed.scheme](numbers.reshape(len(halves[0]), -1), *halves).reshape(packed.shape)


def _q4_1(blocks: np.ndarray) -> tuple[np.ndarray, ...]:
    """Numbers (blocks, 16) with two in a byte, scales and offsets (blocks,)."""
    low, high = blocks.min(1), blocks.max(1)
    scales, offsets = ((high - low) / _LEVELS).astype(np.float16), low.astype(np.float16)
    numbers = _numbers(blocks - offsets.astype(np.float32)[:, None], scales).clip(0, _LEVELS).astype(np.uint8)
    return numbers[:, ::2] | numbers[:, 1::2] << 4, scales, offsets


def _from_q4_1(numbers: np.ndarray, scales: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    levels = np.stack([numbers & 15, numbers >> 4], axis=2).reshape(len(numbers), -1).astype(np.float32)
    return scales.astype(np.float32)[:, None] * levels + offsets.astype(np.float32)[:, None]


def _q8_0(blocks: np.ndarray) -> tuple[np.ndarray, ...]:
    """Numbers (blocks, 32) and scales (blocks,)."""
    scales = (np.abs(blocks).max(1) / _LARGEST).astype(np.float16)
    return _numbers(blocks, scales).clip(-_LARGEST, _LARGEST).astype(np.int8), scales


def _from_q8_0(numbers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    return scales.astype(np.float32)[:, None] * numbers.astype(np.float32)


def _numbers(values: np.ndarray, scales: np.ndarray) -> np.ndarray:
    steps = scales.astype(np.float32)[:, None]
    return np.rint(np.divide(values, steps, out=np.zeros_like(values), where=steps != 0))


_QUANTISERS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, ...]]] = {"q4_1": _q4_1, "q8_0": _q8_0}
_READERS: dict[str, Callable[..., np.ndarray]] = {"q4_1": _from_q4_1, "q8_0": _from_q8_0}


def _streams(parts: tuple[np.ndarray, ...]) -> tuple[bytes, ...]:
    numbers, *halves = parts
    planes = [half.view(np.uint8).reshape(-1, 2)[:, byte].tobytes() for half in halves for byte in (0, 1)]
    return tuple(_entropy_coded(stream) for stream in (numbers.tobytes(), *planes))


def _entropy_coded(stream: bytes) -> bytes:
    """Huffman's code alone: nothing repeats in quantised weights, but some numbers are rarer than others."""
    coder = zlib.compressobj(9, zlib.DEFLATED, strategy=zlib.Z_HUFFMAN_ONLY)
    return coder.compress(stream) + coder.flush()


def _joined(low: bytes, high: bytes) -> np.ndarray:
    planes = np.stack([np.frombuffer(low, np.uint8), np.frombuffer(high, np.uint8)], axis=1)
    return planes.reshape(-1).view(np.float16)
