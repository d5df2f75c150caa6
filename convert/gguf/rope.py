"""RoPE as a GGUF file describes it, in the dictionary that transformers and mlx-lm read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convert.errors import CheckpointError
from convert.gguf.metadata import Metadata

# llama.cpp stores Llama 3's scaling as one factor for each wavelength; the configuration needs what these were
# computed from. Every Llama 3 release uses the same three numbers beside the factor.
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
# Keys that change the result and have no counterpart in the configuration.
_INEXPRESSIBLE = ("attn_factor", "alpha", "yarn_ext_factor", "yarn_attn_factor")


def rope_parameters(metadata: Metadata, head_dim: int, factors: np.ndarray | None) -> dict[str, Any]:
    """RoPE's base and scaling.

    Args:
        metadata: of the file.
        head_dim: dimensions of a head.
        factors: `rope_freqs.weight`, one factor for each of `head_dim / 2` wavelengths; None where not stored.

    Returns:
        `rope_theta`, `rope_type` and what that type needs.

    Raises:
        CheckpointError: when the scaling cannot be expressed.
    """
    theta = metadata.number("{arch}.rope.freq_base", 10_000.0)
    if theta <= 1 or metadata.integer("{arch}.rope.dimension_count", head_dim) != head_dim:
        raise _refused(metadata, f"RoPE of base {theta:g} on a part of the {head_dim} dimensions of a head")
    for key in _INEXPRESSIBLE:
        if metadata.number(f"{{arch}}.rope.scaling.{key}", 1.0) != 1.0:
            raise _refused(metadata, f"RoPE scaling with {key}")
    kind = metadata.text("{arch}.rope.scaling.type", "none")
    if factors is not None:
        if kind != "none":
            raise _refused(metadata, f"{kind} RoPE together with rope_freqs")
        return {"rope_theta": theta} | _llama3(metadata, theta, head_dim, factors)
    if kind == "none":
        return {"rope_theta": theta, "rope_type": "default"}
    factor = metadata.number("{arch}.rope.scaling.factor")
    if factor <= 0 or kind not in ("linear", "yarn"):
        raise _refused(metadata, f"{kind} RoPE with factor {factor:g}")
    if kind == "linear":
        return {"rope_theta": theta, "rope_type": "linear", "factor": factor}
    return {
        "rope_theta": theta,
        "rope_type": "yarn",
        "factor": factor,
        "original_max_position_embeddings": metadata.integer("{arch}.rope.scaling.original_context_length"),
        "beta_fast": metadata.number("{arch}.rope.scaling.yarn_beta_fast", 32.0),
        "beta_slow": metadata.number("{arch}.rope.scaling.yarn_beta_slow", 1.0),
    }


def _llama3(metadata: Metadata, theta: float, head_dim: int, factors: np.ndarray) -> dict[str, Any]:
    factor = float(factors.max())
    usable = factors.shape == (head_dim // 2,) and 0 < factor < math.inf
    if not usable or not np.allclose(factors, _llama3_factors(theta, head_dim, factor), 1e-4):
        raise _refused(metadata, "RoPE factors that are not those of Llama 3")
    return {"rope_type": "llama3", "factor": factor} | _LLAMA3


def _llama3_factors(theta: float, head_dim: int, factor: float) -> list[float]:
    """What llama.cpp's converter stores for Llama 3 (`LlamaModel.generate_extra_tensors`)."""
    low, high, length = _LLAMA3.values()
    factors = []
    for i in range(0, head_dim, 2):
        turns = length / (2 * math.pi * theta ** (i / head_dim))  # within the original context
        if turns > high:
            factors.append(1.0)
        elif turns < low:
            factors.append(factor)
        else:
            smooth = (turns - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return factors


def _refused(metadata: Metadata, what: str) -> CheckpointError:
    return CheckpointError(f"{metadata.file.path} has {what}: this base cannot be converted from GGUF")
