"""Adapters: those of a document's chunks, and the sum of several documents, which can be saved.

The saved form is mlx-lm's own (`adapters.safetensors` + `adapter_config.json`), so that
`mlx_lm.generate --adapter-path` loads it unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx import nn

from mlx_hypernet.base import module_path_prefix, target_path, text_model
from mlx_hypernet.format.atomic import write_json
from mlx_hypernet.storage import write_tensors

TENSORS_FILE, CONFIG_FILE = "adapters.safetensors", "adapter_config.json"


class AdapterError(Exception):
    """An adapter that does not belong to this model or to these other adapters."""


@dataclass(frozen=True)
class ChunkAdapters:
    """The adapters of one document, chunk by chunk, and the hypernetwork's bias pair.

    Attributes:
        A, B: module -> (chunks, L, r, d_in) and (chunks, L, r, d_out).
        bias_A, bias_B: module -> (L, r, d_in) and (L, r, d_out).
        scale: factor of the whole adapter, not divided by the rank.
        first_layer: block of the base that the first of the L layers is for.
    """

    A: dict[str, mx.array]
    B: dict[str, mx.array]
    bias_A: dict[str, mx.array]
    bias_B: dict[str, mx.array]
    scale: float
    first_layer: int = 0

    @property
    def num_chunks(self) -> int:
        """How many chunks the document had."""
        return int(next(iter(self.A.values())).shape[0])


@dataclass(frozen=True)
class Adapter:
    """One adapter, ready to attach: y += scale · (x Aᵀ) B in every target module.

    Attributes:
        A, B: module -> (L, r_total, d_in) and (L, r_total, d_out).
        scale: factor of the adapter, not divided by the rank.
        first_layer: block of the base that the first of the L layers is for.
    """

    A: dict[str, mx.array]
    B: dict[str, mx.array]
    scale: float
    first_layer: int = 0

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the target modules."""
        return tuple(self.A)

    @property
    def num_layers(self) -> int:
        """Adapted layers, side by side from `first_layer` on."""
        return int(next(iter(self.A.values())).shape[0])

    @property
    def rank(self) -> int:
        """Total rank: r · (chunks + 1)."""
        return int(next(iter(self.A.values())).shape[1])

    def shape(self, name: str) -> tuple[int, int]:
        """(d_in, d_out) of a module."""
        return int(self.A[name].shape[-1]), int(self.B[name].shape[-1])

    def pair(self, name: str, layer: int) -> tuple[mx.array, mx.array]:
        """A (r_total, d_in) and B (r_total, d_out) of a module in one layer."""
        return self.A[name][layer], self.B[name][layer]


@dataclass(frozen=True)
class Composition:
    """Documents that become one adapter layer by layer, whenever a layer is asked for: every chunk, the bias pair once.

    What is attached from it never exists twice, as it would if it were composed first and brought into fp32 then.
    """

    documents: Sequence[ChunkAdapters]

    def __post_init__(self) -> None:
        """Check that all documents come from one hypernetwork.

        Raises:
            AdapterError: for no document, or documents of different hypernetworks.
        """
        if not self.documents:
            raise AdapterError("nothing to compose: no document given")
        first, *others = self.documents
        if not all(_same_bias(first, other) for other in others):
            raise AdapterError("these documents were absorbed by different hypernetworks: absorb them again")

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the target modules."""
        return tuple(self.documents[0].bias_A)

    @property
    def num_layers(self) -> int:
        """Adapted layers, side by side from `first_layer` on."""
        return int(next(iter(self.documents[0].bias_A.values())).shape[0])

    @property
    def rank(self) -> int:
        """Total rank: r · (chunks + 1)."""
        rank = next(iter(self.documents[0].bias_A.values())).shape[1]
        return int(rank * (1 + sum(document.num_chunks for document in self.documents)))

    @property
    def scale(self) -> float:
        """Factor of the adapter, not divided by the rank."""
        return self.documents[0].scale

    @property
    def first_layer(self) -> int:
        """Block of the base that the first adapted layer is."""
        return self.documents[0].first_layer

    def shape(self, name: str) -> tuple[int, int]:
        """(d_in, d_out) of a module."""
        first = self.documents[0]
        return int(first.bias_A[name].shape[-1]), int(first.bias_B[name].shape[-1])

    def pair(self, name: str, layer: int) -> tuple[mx.array, mx.array]:
        """A (r_total, d_in) and B (r_total, d_out) of a module in one layer."""
        first = self.documents[0]
        a = [document.A[name][:, layer].flatten(0, 1) for document in self.documents]
        b = [document.B[name][:, layer].flatten(0, 1) for document in self.documents]
        return mx.concatenate([*a, first.bias_A[name][layer]]), mx.concatenate([*b, first.bias_B[name][layer]])


def compose(documents: Sequence[ChunkAdapters]) -> Adapter:
    """Join documents to one adapter on the rank axis: every chunk in its order, then the bias pair once.

    Raises:
        AdapterError: for no document, or documents of different hypernetworks.
    """
    composition = Composition(documents)
    a, b = {}, {}
    for name in composition.modules:
        pairs = [composition.pair(name, layer) for layer in range(composition.num_layers)]
        a[name], b[name] = (mx.stack(list(side)) for side in zip(*pairs, strict=True))
    return Adapter(a, b, composition.scale, composition.first_layer)


def _same_bias(one: ChunkAdapters, other: ChunkAdapters) -> bool:
    if (one.scale, one.first_layer) != (other.scale, other.first_layer) or one.bias_A.keys() != other.bias_A.keys():
        return False
    pairs = [(one.bias_A[name], other.bias_A[name]) for name in one.bias_A]
    pairs += [(one.bias_B[name], other.bias_B[name]) for name in one.bias_A]
    return all(x is y or mx.array_equal(x, y).item() for x, y in pairs)


def save_adapter(folder: Path, adapter: Adapter, model: nn.Module, info: dict[str, Any]) -> None:
    """Write an adapter in mlx-lm's dialect.

    Args:
        folder: is made if missing; files of the same names are replaced.
        adapter: the adapter.
        model: the base, which names the tensors and the keys.
        info: becomes the section `thoth` of `adapter_config.json`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prefix = module_path_prefix(model)
    layers = f"{prefix}.layers" if prefix else "layers"
    tensors, keys = {}, []
    wrapped = len(text_model(model).layers) - adapter.first_layer  # mlx-lm wraps the base's last layers
    for name in adapter.modules:
        path = target_path(text_model(model).layers[0], name)
        keys.append(path)
        for layer in range(wrapped):
            a, b = adapter.A[name], adapter.B[name]
            a, b = (a[layer], b[layer]) if layer < len(a) else (mx.zeros_like(a[0]), mx.zeros_like(b[0]))
            # mlx-lm multiplies from the right: lora_a is (d_in, r), lora_b (r, d_out).
            place = f"{layers}.{adapter.first_layer + layer}.{path}"
            tensors[f"{place}.lora_a"] = mx.contiguous(a.T)
            tensors[f"{place}.lora_b"] = mx.contiguous(b)
    parameters = {"rank": adapter.rank, "scale": adapter.scale, "dropout": 0.0, "keys": keys}
    config = {"fine_tune_type": "lora", "num_layers": wrapped, "lora_parameters": parameters}
    write_tensors(folder / TENSORS_FILE, tensors)
    write_json(folder / CONFIG_FILE, config | {"thoth": info})
