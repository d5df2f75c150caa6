"""How a base from GGUF is stored: dequantised, requantised, or with the file's own blocks."""

from __future__ import annotations

from collections import Counter
from typing import Any

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten

from convert.base.mlx_model import build_model, check_weights, quantise
from convert.gguf.packed import GROUP_SIZE, PACKINGS, repack
from convert.gguf.tensors import Weights
from mlx_hypernet.storage import Layout

_PARTS = ("weight", "scales", "biases")


class Stored:
    """The tensors of the result and the configuration that goes with them.

    Attributes:
        weights: where they come from.
        config: for `config.json`.
        layout: name -> (shape, dtype) of everything that is written.
        kept: path of a module -> bits, for those that stay as the file has them.
        exact: whether nothing that was read so far was rounded.
    """

    def __init__(
        self,
        weights: Weights,
        config: dict[str, Any],
        dtype: str,
        *,
        keep: bool,
        q_bits: int | None,
        down_proj_bits: int | None,
    ) -> None:
        self.weights = weights
        self.config = config | {"dtype": dtype}
        self.kept = _kept(weights) if keep else {}
        self._dtype: mx.Dtype = getattr(mx, dtype)
        self._ready: dict[str, mx.array] = {}
        self.exact = True
        model = build_model(self.config)
        check_weights(model, {name: tensor.shape for name, tensor in weights.places.items()})
        model.set_dtype(self._dtype)
        if self.kept:
            self._keep(model)
        elif q_bits is not None:
            model, self.config = quantise(model, self.config, q_bits, down_proj_bits)
        self._modules = dict(model.named_modules())
        parameters: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
        self.layout: Layout = {name: (tuple(array.shape), array.dtype) for name, array in parameters.items()}

    def read(self, name: str) -> mx.array:
        """A tensor of the layout; those of one module are computed together and handed out one by one."""
        if name not in self._ready:
            path, _, part = name.rpartition(".")
            self._ready |= self._parts(path) if part in _PARTS else {name: self._plain(name)}
        return self._ready.pop(name)

    def _parts(self, path: str) -> dict[str, mx.array]:
        name = f"{path}.weight"
        module = self._modules[path]
        arrays: tuple[mx.array, ...]
        if path in self.kept:
            arrays = repack(self.weights.blocks(name), self.weights.places[name].type)
            arrays = (arrays[0], self._cast(arrays[1]), self._cast(arrays[2]))
        elif f"{path}.scales" in self.layout:
            self.exact = False
            arrays = mx.quantize(self._plain(name), group_size=module.group_size, bits=module.bits)
        else:
            arrays = (self._plain(name),)
        return {f"{path}.{part}": array for part, array in zip(_PARTS, arrays, strict=False)}

    def _plain(self, name: str) -> mx.array:
        return self._cast(mx.array(self.weights.read(name)))

    def _cast(self, array: mx.array) -> mx.array:
        cast = array.astype(self._dtype)
        self.exact = self.exact and bool(mx.array_equal(cast.astype(mx.float32), array.astype(mx.float32)))
        return cast

    def _keep(self, model: nn.Module) -> None:
        """Quantise the model's modules in shape, and say so in the configuration."""
        usual = Counter(self.kept.values()).most_common(1)[0][0]
        settings = {path: {"group_size": GROUP_SIZE, "bits": bits} for path, bits in self.kept.items()}
        nn.quantize(model, GROUP_SIZE, usual, class_predicate=lambda path, _: settings.get(path, False))
        unusual = {path: setting for path, setting in settings.items() if setting["bits"] != usual}
        self.config["quantization"] = {"group_size": GROUP_SIZE, "bits": usual, "mode": "affine"} | unusual


def _kept(weights: Weights) -> dict[str, int]:
    return {
        name.removesuffix(".weight"): PACKINGS[tensor.type].bits
        for name, tensor in weights.places.items()
        if tensor.type in PACKINGS and len(tensor.shape) == 2
    }
