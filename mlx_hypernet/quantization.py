"""Quantised hypernetworks: matrices at 8 or 4 bits, everything else unchanged.

A file is then about half or a quarter as large as in bf16; what that costs in answers is measured in docs/LOG.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten

from mlx_hypernet.format.config import BundleConfig, Quantization
from mlx_hypernet.hypernet import HyperNetwork
from mlx_hypernet.storage import Layout


def build(config: BundleConfig) -> HyperNetwork:
    """A hypernetwork whose parameters have the names, shapes and dtypes of the bundle's file.

    MLX being lazy, nothing is allocated for it.
    """
    hypernet = HyperNetwork(config.hypernet)
    hypernet.set_dtype(getattr(mx, config.dtype))
    if config.quantization is not None:
        quantize(hypernet, config.quantization)
    return hypernet


def quantize(hypernet: HyperNetwork, quantization: Quantization) -> None:
    """Quantise the matrices of `hypernet` in place; those whose rows are no whole groups stay as they are."""

    def fits(_: str, module: nn.Module) -> bool:
        return hasattr(module, "to_quantized") and module.weight.shape[-1] % quantization.group_size == 0

    nn.quantize(hypernet, quantization.group_size, quantization.bits, class_predicate=fits)


def layout(config: BundleConfig) -> Layout:
    """Name -> (shape, dtype) of every tensor in the bundle's file."""
    parameters = dict(tree_flatten(build(config).parameters()))
    return {name: (tuple(parameter.shape), parameter.dtype) for name, parameter in parameters.items()}


def store(config: BundleConfig, stored: Layout, name: str, weight: mx.array) -> Iterator[tuple[str, mx.array]]:
    """What the bundle's file holds of one parameter: `X.weight` alone, or also `X.scales` and `X.biases`.

    Args:
        config: of the bundle.
        stored: its `layout`.
        name: of the parameter.
        weight: its dense value, in any dtype.
    """
    weight = weight.astype(getattr(mx, config.dtype))
    path, _, kind = name.rpartition(".")
    if config.quantization is None or kind != "weight" or f"{path}.scales" not in stored:
        yield name, weight
        return
    parts = mx.quantize(weight, config.quantization.group_size, config.quantization.bits)
    yield from zip((name, f"{path}.scales", f"{path}.biases"), parts, strict=True)


def dense(stored: dict[str, mx.array], quantization: Quantization) -> dict[str, mx.array]:
    """The parameters whose values a file holds, every matrix dequantised."""
    weights = {}
    for name, tensor in stored.items():
        path, _, kind = name.rpartition(".")
        if kind == "weight" and f"{path}.scales" in stored:
            parts = (tensor, stored[f"{path}.scales"], stored[f"{path}.biases"])
            weights[name] = mx.dequantize(*parts, group_size=quantization.group_size, bits=quantization.bits)
        elif not (kind in ("scales", "biases") and f"{path}.weight" in stored):
            weights[name] = tensor
    return weights
