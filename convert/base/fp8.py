"""FP8 weights to numbers: bytes in F8_E4M3 times their scales, tensor by tensor.

mlx-lm's `ministral3.sanitize` multiplies the raw bytes by the scale, so FP8 is resolved here, before it looks.
The published layout (DeepSeek-V3's, arXiv 2412.19437 section 3.3; Ministral-3 uses it with one scale a tensor):
beside `X.weight` an `X.weight_scale_inv`, which in spite of its name is multiplied, and for static activation
quantisation an `X.activation_scale`, which only FP8 arithmetic needs.
"""

from __future__ import annotations

import math

import mlx.core as mx

from convert.base.shards import listed
from convert.errors import CheckpointError
from mlx_hypernet.storage import TensorInfo

FP8 = "F8_E4M3"
_SCALE_DTYPES = ("F32", "BF16", "F16")


def dequantise(
    weights: dict[str, mx.array],
    tensors: dict[str, TensorInfo],
    block_size: tuple[int, int] | None,
) -> dict[str, mx.array]:
    """Resolve FP8; nothing else is changed. Nothing is computed yet.

    Args:
        weights: name -> array, FP8 as raw bytes.
        tensors: name -> what the file says about it.
        block_size: rows and columns that share a scale, of `quantization_config`; None for one scale a tensor.

    Returns:
        name -> array, FP8 weights in fp32, without their scales.

    Raises:
        CheckpointError: naming every FP8 weight whose scale is missing or does not fit.
    """
    quantised = [name for name, tensor in tensors.items() if tensor.dtype == FP8]
    faults = [fault for name in quantised if (fault := _fault(name, tensors, block_size))]
    if faults:
        raise CheckpointError(f"FP8 weights without usable scales: {listed(faults)}")
    used_up = {scale_name(name) for name in quantised} | {activation_name(name) for name in quantised}
    resolved = {name: array for name, array in weights.items() if name not in used_up}
    for name in quantised:
        resolved[name] = _times(mx.from_fp8(weights[name], mx.float32), weights[scale_name(name)], block_size)
    return resolved


def scale_name(weight: str) -> str:
    """`X.weight` -> `X.weight_scale_inv`."""
    return f"{weight}_scale_inv"


def activation_name(weight: str) -> str:
    """`X.weight` -> `X.activation_scale`."""
    return f"{weight.removesuffix('weight')}activation_scale"


def _times(numbers: mx.array, scale: mx.array, block_size: tuple[int, int] | None) -> mx.array:
    scale = scale.astype(mx.float32)
    if scale.size == 1:
        return numbers * scale.reshape(())
    rows, columns = block_size or (1, 1)
    spread = mx.repeat(mx.repeat(scale, rows, axis=0), columns, axis=1)
    # The last blocks may stick out.
    return numbers * spread[: numbers.shape[0], : numbers.shape[1]]


def _fault(name: str, tensors: dict[str, TensorInfo], block_size: tuple[int, int] | None) -> str | None:
    shape, scale = tensors[name].shape, tensors.get(scale_name(name))
    if scale is None:
        return f"{scale_name(name)} is missing"
    if scale.dtype not in _SCALE_DTYPES:
        return f"{scale_name(name)} is {scale.dtype}"
    if math.prod(scale.shape) == 1:
        return None
    if block_size is None:
        return f"{scale_name(name)} is {scale.shape}, but config.json names no weight_block_size"
    blocks = tuple(math.ceil(size / block) for size, block in zip(shape, block_size, strict=False))
    if len(shape) != 2 or scale.shape != blocks:
        return f"{scale_name(name)} is {scale.shape}, not {blocks} for a weight of {shape} in blocks of {block_size}"
    return None
