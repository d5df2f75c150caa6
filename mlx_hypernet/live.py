"""Adapters in a running model: attach, swap, detach, without touching a weight of the base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_unflatten

from mlx_hypernet.adapter import Adapter, AdapterError, Composition
from mlx_hypernet.base import base_linear, linear_shape, module_at, target_path, text_model

if TYPE_CHECKING:
    from mlx_lm.tuner.lora import LoRALinear

# Matrices that are computed in one go when an adapter is attached. All 90 MB of 8 chunks of a 3B model take three times
# as long as a few layers at a time, whose memory is used again, and each of nano's small layers costs a wait.
_AT_ONCE_BYTES = 4 << 20


def attach(model: nn.Module, adapter: Adapter | Composition) -> None:
    """Make `adapter` the model's one active adapter; an adapter that is attached already is swapped.

    Each target is wrapped in mlx-lm's `LoRALinear`; the base's linear, quantised or not, is not changed
    inside. Key/value caches made before belong to another adapter: drop them.

    Raises:
        AdapterError: when layers or shapes do not fit; the model is then as it was.
        UnsupportedBaseError: when the model has no such modules; the model is then as it was.
    """
    blocks = text_model(model).layers
    first, after = adapter.first_layer, adapter.first_layer + adapter.num_layers
    if after > len(blocks) or (first == 0 and after < len(blocks)):
        raise AdapterError(f"the adapter has {adapter.num_layers} layers from {first} on, the model {len(blocks)}")
    adapted = blocks[first:after]
    paths = {name: target_path(blocks[0], name) for name in adapter.modules}
    for name, path in paths.items():
        for block in adapted:
            if (shape := linear_shape(base_linear(block, path))) != adapter.shape(name):
                raise AdapterError(f"the adapter has {adapter.shape(name)} for {path}, the model {shape}")
    for layer, block in enumerate(blocks):  # of an adapter for other modules or layers
        for path in _attached(block).keys() - (paths.values() if first <= layer < after else set()):
            _put(block, {path: base_linear(block, path)})
    ready: list[mx.array] = []
    for layer, block in enumerate(adapted):
        for name, path in paths.items():
            lora = _wrapped(block, path)
            a, b = adapter.pair(name, layer)
            # The delta is computed in fp32 and then cast to the base's dtype, as in the reference.
            lora.lora_a, lora.lora_b = a.astype(mx.float32).T, b.astype(mx.float32)
            lora.scale = adapter.scale
            ready += [lora.lora_a, lora.lora_b]
        if layer + 1 == len(adapted) or sum(matrix.nbytes for matrix in ready) > _AT_ONCE_BYTES:
            mx.eval(ready)
            ready = []


def detach(model: nn.Module) -> None:
    """Take the adapter off; the model is then bit for bit the base. Does nothing where none is attached."""
    _put(model, {path: lora.linear for path, lora in _attached(model).items()})


@contextmanager
def bare(model: nn.Module) -> Iterator[None]:
    """The model without its adapter inside the block, and with it again afterwards."""
    attached = _attached(model)
    detach(model)
    try:
        yield
    finally:
        _put(model, attached)


def _attached(module: nn.Module) -> dict[str, LoRALinear]:
    from mlx_lm.tuner.lora import LoRALinear

    return {path: found for path, found in module.named_modules() if isinstance(found, LoRALinear)}


def _put(module: nn.Module, modules: Mapping[str, nn.Module]) -> None:
    if modules:
        module.update_modules(tree_unflatten(list(modules.items())))


def _wrapped(block: nn.Module, path: str) -> LoRALinear:
    """The wrapper around the linear at `path`; it is put there where there is none."""
    from mlx_lm.tuner.lora import LoRALinear

    module = module_at(block, path)
    if not isinstance(module, LoRALinear):
        module = LoRALinear.from_base(module, r=1)
        _put(block, {path: module})
    return module
