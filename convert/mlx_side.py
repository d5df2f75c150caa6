"""What the bundle computes in MLX from the seeded inputs: the values as they are stored, arithmetic in fp32."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten

from convert.probe import FeaturesProbe, Outputs, TextProbe
from mlx_hypernet.absorbing import absorb
from mlx_hypernet.adapter import ChunkAdapters, compose
from mlx_hypernet.bundle import Bundle, load_bundle
from mlx_hypernet.hypernet import HyperNetwork
from mlx_hypernet.live import attach, detach


def from_features(folder: Path, probes: Sequence[FeaturesProbe]) -> tuple[list[Outputs], int]:
    """Outputs for each probe, and the number of parameters."""
    bundle = load_bundle(folder, mx.float32)
    parameters, taps = count(bundle), _Taps(bundle.hypernet)
    return [_from_features(bundle.hypernet, probe, taps) for probe in probes], parameters


def from_text(folder: Path, probes: Sequence[TextProbe], base: nn.Module) -> tuple[list[Outputs], int]:
    """Outputs for each probe, the base in fp32, and the number of parameters."""
    bundle = load_bundle(folder, mx.float32)
    base.set_dtype(mx.float32)
    parameters, taps = count(bundle), _Taps(bundle.hypernet)
    return [_from_text(bundle, probe, base, taps) for probe in probes], parameters


def count(bundle: Bundle) -> int:
    """Parameters of a hypernetwork; a quantised matrix counts as its dense original."""
    parameters, quantization = dict(tree_flatten(bundle.hypernet.parameters())), bundle.config.quantization
    total = 0
    for name, parameter in parameters.items():
        path, _, kind = name.rpartition(".")
        if quantization is not None and kind == "weight" and f"{path}.scales" in parameters:
            total += parameter.size * 32 // quantization.bits  # packed into 32-bit words
        elif kind not in ("scales", "biases"):
            total += parameter.size
    return total


class _Tap(nn.Module):
    """Stands in for a module and keeps what goes in and what comes out."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._module = module
        self.inputs: list[mx.array] = []
        self.outputs: list[mx.array] = []

    def __call__(self, x: mx.array, *args: Any) -> mx.array:
        self.inputs.append(x)
        self.outputs.append(self._module(x, *args))
        return self.outputs[-1]


class _Taps:
    """Listens to a hypernetwork: the features it reads, the latents its Perceiver hands on, layer by layer."""

    def __init__(self, hypernet: HyperNetwork) -> None:
        self._reader, self._writer = _Tap(hypernet.modality_projection), _Tap(hypernet.decoder)
        hypernet.update_modules({"modality_projection": self._reader, "decoder": self._writer})

    def drain(self) -> tuple[list[mx.array], list[mx.array]]:
        """Features and latents of every layer since the last time."""
        seen = self._reader.inputs, self._writer.outputs
        for tap in (self._reader, self._writer):
            tap.inputs, tap.outputs = [], []
        return seen


def _from_features(hypernet: HyperNetwork, probe: FeaturesProbe, taps: _Taps) -> Outputs:
    mask = mx.array(probe.mask)
    layers = []
    read = None if hypernet.config.exit_layer is None else hypernet.read(mx.array(probe.features[:, 0]), mask)
    for layer in range(hypernet.config.num_layers):
        if read is None:
            pairs = hypernet(mx.array(probe.features[:, layer]), layer, mask)
        else:
            pairs = hypernet.generate(read, layer)
        mx.eval(pairs)
        layers.append(pairs)
    a, b = ({m: mx.stack([pairs[m][side] for pairs in layers], 1) for m in layers[0]} for side in (0, 1))
    config = hypernet.config
    adapters = ChunkAdapters(a, b, hypernet.bias_A, hypernet.bias_B, config.scale, config.first_layer)
    _, latents = taps.drain()
    return {"latents": _stacked(latents)} | _adapter_rows(adapters)


def _from_text(bundle: Bundle, probe: TextProbe, base: nn.Module, taps: _Taps) -> Outputs:
    adapters = absorb(base, bundle, probe.chunks)
    attach(base, compose([adapters]))
    logits = _numpy(base(mx.array([probe.query])))
    detach(base)
    features, latents = taps.drain()
    return {
        "features": {
            str(i): np.stack([_numpy(layer[i, : len(chunk)]) for layer in features])
            for i, chunk in enumerate(probe.chunks)
        },
        "latents": _stacked(latents),
        **_adapter_rows(adapters),
        "logits": {"": logits},
    }


def _adapter_rows(adapters: ChunkAdapters) -> Outputs:
    adapter = compose([adapters])
    return {
        "A": {module: _numpy(a) for module, a in adapters.A.items()},
        "B": {module: _numpy(b) for module, b in adapters.B.items()},
        "combined adapter": {
            f"{module} {name}": _numpy(side[module])
            for name, side in (("A", adapter.A), ("B", adapter.B))
            for module in side
        },
    }


def _stacked(layers: list[mx.array]) -> dict[str, np.ndarray]:
    """(chunks, L, queries, D) from one array for each layer."""
    return {"": np.stack([_numpy(layer) for layer in layers], axis=1)}


def _numpy(array: mx.array) -> np.ndarray:
    return np.array(array.astype(mx.float32))
