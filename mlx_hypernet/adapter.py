"""Adapters: what one document's chunks became, the sum of several documents, and both on disk.

The saved form is mlx-lm's own (`adapters.safetensors` + `adapter_config.json`), so that
`mlx_lm.generate --adapter-path` loads it unchanged. The chunks are kept in a file of their own, so that
documents can be composed anew later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx import nn

from mlx_hypernet.base import module_path_prefix, target_path, text_model
from mlx_hypernet.storage import DamagedFileError, read_tensors, write_json, write_tensors

TENSORS_FILE, CONFIG_FILE = "adapters.safetensors", "adapter_config.json"
_SIDES = ("A", "B", "bias_A", "bias_B")
_TENSOR_NAME = re.compile(r"(?:.*\.)?layers\.(\d+)\.(?:.*\.)?([^.]+)\.lora_([ab])")


class AdapterError(Exception):
    """An adapter that is damaged, or does not belong to this model or to these other adapters."""


@dataclass(frozen=True)
class ChunkAdapters:
    """The adapters of one document, chunk by chunk, and the hypernetwork's bias pair.

    Attributes:
        A, B: module -> (chunks, L, r, d_in) and (chunks, L, r, d_out).
        bias_A, bias_B: module -> (L, r, d_in) and (L, r, d_out).
        scale: factor of the whole adapter, as it is.
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
        scale: factor of the adapter, as it is.
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
        """Factor of the adapter, as it is."""
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


def load_adapter(folder: Path) -> Adapter:
    """Read an adapter back.

    Raises:
        AdapterError: when a file is missing or damaged, or a layer's pair is not complete.
    """
    try:
        scale = float(json.loads((folder / CONFIG_FILE).read_text("utf-8"))["lora_parameters"]["scale"])
        tensors, _ = read_tensors(folder / TENSORS_FILE)
    except (OSError, ValueError, KeyError, TypeError, DamagedFileError) as error:
        raise AdapterError(f"{folder} does not hold a readable adapter: {error}") from error
    sides: dict[str, dict[str, dict[int, mx.array]]] = {"a": {}, "b": {}}
    for tensor_name, tensor in tensors.items():
        match = _TENSOR_NAME.fullmatch(tensor_name)
        if match is None:
            raise AdapterError(f"{folder} holds a tensor that is no part of an adapter: {tensor_name}")
        layer, module, side = match.groups()
        sides[side].setdefault(module, {})[int(layer)] = tensor.T if side == "a" else tensor
    first = min((layer for by_layer in sides["a"].values() for layer in by_layer), default=0)
    a, b = ({name: _stack(by_layer, first) for name, by_layer in sorted(side.items())} for side in sides.values())
    if not a or {name: x.shape[:2] for name, x in a.items()} != {name: x.shape[:2] for name, x in b.items()}:
        raise AdapterError(f"{folder} holds an incomplete adapter: lora_a and lora_b do not match")
    return Adapter(a, b, scale, first)


def _stack(by_layer: dict[int, mx.array], first: int) -> mx.array:
    layers = range(first, first + len(by_layer))
    if sorted(by_layer) != list(layers) or len({x.shape for x in by_layer.values()}) != 1:
        raise AdapterError("the adapter is incomplete: layers are missing or differ in shape")
    return mx.stack([by_layer[layer] for layer in layers])


def save_chunks(path: Path, chunks: ChunkAdapters) -> None:
    """Write the chunk adapters of a document to one safetensors file."""
    tensors = {f"{side}.{name}": x for side in _SIDES for name, x in getattr(chunks, side).items()}
    write_tensors(path, tensors, {"scale": repr(chunks.scale), "first_layer": str(chunks.first_layer)})


def load_chunks(path: Path) -> ChunkAdapters:
    """Read what `save_chunks` wrote.

    Raises:
        AdapterError: when the file is missing or damaged.
    """
    sides: dict[str, dict[str, mx.array]] = {side: {} for side in _SIDES}
    try:
        tensors, metadata = read_tensors(path)
        for tensor_name, tensor in tensors.items():
            side, _, name = tensor_name.partition(".")
            sides[side][name] = tensor
        first = int(metadata.get("first_layer", 0))
        chunks = ChunkAdapters(**sides, scale=float(metadata["scale"]), first_layer=first)
    except (ValueError, KeyError, DamagedFileError) as error:
        raise AdapterError(f"{path} does not hold readable chunks: {error}") from error
    if not chunks.A or any(side.keys() != chunks.A.keys() for side in sides.values()):
        raise AdapterError(f"{path} holds incomplete chunks")
    return chunks
