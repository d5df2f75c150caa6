"""What identifies a base model, so that another fine-tune of the same shape is refused and a quantised copy is not.

Recorded are a hash of the final norm, which is never quantised, its first values, and those of some matrices. A
LoRA that was merged does not change the norm but the matrices. A quantised copy changes them too, but by
rounding: each value goes to the nearest of few, so a recorded value is still closest to what became of itself.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

import mlx.core as mx
import numpy as np
from mlx import nn
from numpy.typing import NDArray

from mlx_hypernet.base import text_model
from mlx_hypernet.format.config import BaseInfo, ConfigError

Values = NDArray[np.float32]

# So many values of each matrix: the smallest group that is quantised together, so that all round to the same grid.
_VALUES = 32
_NORM = "norm"
# A dense copy has the same values, but for 6% that move where fp32 is rounded to fp16 and then to bf16. Weights that
# differ by 0.3% (of their standard deviation) move 57%. A LoRA may be in one matrix only, so each is looked at.
_MOST_CHANGED = 0.3
# Values that are closer to the copy of another one: 0 to 0.5% in copies at 8 to 2 bits and in FP8. Weights that differ
# by 1% give 8% at 8 bits and 2 to 4% at 4 bits, by 3% give 25% and 7%.
_MOST_MISPLACED, _MOST_MISPLACED_IN_ONE = 0.03, 0.2
# Distinct magnitudes among 32 values: 95% in bf16, 64% where the values were FP8 once.
_COARSE = 0.8


def describe(model: nn.Module, repository: str | None = None) -> BaseInfo:
    """Read what a bundle records about its base from the loaded model."""
    text = text_model(model)
    return BaseInfo(
        repository=repository,
        model_type=model.model_type,
        hidden_size=text.norm.weight.shape[0],
        num_layers=len(text.layers),
        vocab_size=text.embed_tokens.weight.shape[0],
        fingerprint=fingerprint(model),
        weight_sample=weight_sample(model),
    )


def fingerprint(model: nn.Module) -> str:
    """Return a short hash of the final norm's weights, rounded to bf16, so that fp32 and bf16 copies agree."""
    weight = text_model(model).norm.weight.astype(mx.bfloat16).view(mx.uint16)
    return hashlib.sha256(memoryview(weight)).hexdigest()[:16]


def weight_sample(model: nn.Module) -> dict[str, str] | None:
    """Return the first values of every linear in the first, the middle and the last block, rounded to bf16.

    Returns:
        Path of the linear (`layers.0.mlp.down_proj`) -> its values as base64 of bf16; None for a quantised base, whose
        values say too little of the original.
    """
    linears = _sampled(model)
    if not linears or any(isinstance(linear, nn.QuantizedLinear) for linear in linears.values()):
        return None
    sampled = {path: _values(linear) for path, linear in linears.items()} | {_NORM: _norm(model)}
    return {path: base64.b64encode(_bf16(values).tobytes()).decode() for path, values in sampled.items()}


def same_weights(sample: Mapping[str, str], model: nn.Module) -> bool:
    """Return whether a base, or a quantised copy of it, is the one that a sample was taken from.

    Raises:
        ConfigError: The sample is damaged.
    """
    linears = _sampled(model)
    recorded = {path: _decoded(path, text) for path, text in sample.items()}
    norm = recorded.pop(_NORM, None)  # bundles of before have none
    if norm is not None:
        found_norm = _rounded(_norm(model))
        if norm.shape != found_norm.shape or (norm != found_norm).mean() > _MOST_CHANGED:
            return False
    if recorded.keys() != linears.keys():
        return False
    found = {path: _rounded(_values(linear)) for path, linear in linears.items()}
    if any(recorded[path].shape != found[path].shape for path in recorded):
        return False
    quantised = [linear for linear in linears.values() if isinstance(linear, nn.QuantizedLinear)]
    pairs = [(recorded[path], found[path]) for path in recorded]
    if not quantised and not any(_is_coarse([pair[side] for pair in pairs]) for side in (0, 1)):
        return max(float((one != other).mean()) for one, other in pairs) <= _MOST_CHANGED
    group = min([_VALUES, *(linear.group_size for linear in quantised)])
    return _is_rounded(pairs, group) or _is_rounded([(other, one) for one, other in pairs], group)


def _norm(model: nn.Module) -> mx.array:
    """Return the first values of the final norm, which is never quantised."""
    return text_model(model).norm.weight[:_VALUES]


def _sampled(model: nn.Module) -> dict[str, nn.Module]:
    """Return the linears whose values are recorded: path -> linear."""
    blocks = text_model(model).layers
    linears: dict[str, nn.Module] = {}
    for number in sorted({0, len(blocks) // 2, len(blocks) - 1}):
        for path, module in blocks[number].named_modules():
            if isinstance(module, nn.Linear | nn.QuantizedLinear):
                linears[f"layers.{number}.{path.removesuffix('.linear')}"] = module  # of an adapter around it
    return linears


def _values(linear: nn.Module) -> mx.array:
    """Return the first values of a linear's first row, dequantised: (up to 32,)."""
    if not isinstance(linear, nn.QuantizedLinear):
        return linear.weight[0, :_VALUES]
    groups = -(-_VALUES // linear.group_size)
    biases = linear.get("biases")
    row = mx.dequantize(
        linear.weight[:1, : groups * linear.group_size * linear.bits // 32],
        linear.scales[:1, :groups],
        None if biases is None else biases[:1, :groups],
        group_size=linear.group_size,
        bits=linear.bits,
        mode=linear.mode,
    )
    return row[0, :_VALUES]


def _bf16(values: mx.array) -> NDArray[np.uint16]:
    return np.array(values.astype(mx.bfloat16).view(mx.uint16))


def _rounded(values: mx.array) -> Values:
    return np.array(values.astype(mx.bfloat16).astype(mx.float32))


def _decoded(path: str, text: str) -> Values:
    try:
        bits = np.frombuffer(base64.b64decode(text, validate=True), "<u2")
    except (binascii.Error, ValueError, TypeError) as error:
        raise ConfigError(f"the weight sample of {path} is damaged: {error}") from error
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _is_coarse(rows: list[Values]) -> bool:
    """Return whether values were rounded to few bits once, though their dtype holds more."""
    return sum(len(np.unique(np.abs(row))) for row in rows) < _COARSE * sum(len(row) for row in rows)


def _is_rounded(pairs: list[tuple[Values, Values]], group: int) -> bool:
    """Return whether the second values are the first ones after rounding: each the nearest that there is.

    Args:
        pairs: for each matrix, original values and their copies.
        group: so many neighbours were rounded to the same grid.
    """
    misplaced = []
    for row, copy in pairs:
        for start in range(0, len(row), group):
            one, other = row[start : start + group], copy[start : start + group]
            misplaced.append(np.abs(one[:, None] - other[None]).min(1) < np.abs(one - other))
    in_one = max(float(part.mean()) for part in misplaced)
    return bool(np.concatenate(misplaced).mean() <= _MOST_MISPLACED and in_one <= _MOST_MISPLACED_IN_ONE)
