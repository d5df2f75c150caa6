"""Adapters in a running model: attach, swap, detach, without touching a weight of the base."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_unflatten

from mlx_hypernet.adapter import Adapter, AdapterError
from mlx_hypernet.base import base_linear, linear_shape, target_path, text_model

if TYPE_CHECKING:
    from mlx_lm.tuner.lora import LoRALinear


def attach(model: nn.Module, adapter: Adapter) -> None:
    """Make `adapter` the model's one active adapter; an adapter that is attached already is swapped.

    Each target is wrapped in mlx-lm's `LoRALinear`; the base's linear, quantised or not, stays as it is
    inside. Key/value caches made before belong to another adapter: drop them.

    Raises:
        AdapterError: when layers or shapes do not fit; the model is then as it was.
        UnsupportedBaseError: when the model has no such modules; the model is then as it was.
    """
    blocks = text_model(model).layers
    if len(blocks) != adapter.num_layers:
        raise AdapterError(f"the adapter has {adapter.num_layers} layers, the model {len(blocks)}")
    targets = [(block, target_path(block, name), name) for block in blocks for name in adapter.modules]
    linears = [base_linear(block, path) for block, path, _ in targets]
    for linear, (_, path, name) in zip(linears, targets, strict=True):
        shape = (adapter.A[name].shape[-1], adapter.B[name].shape[-1])
        if linear_shape(linear) != shape:
            raise AdapterError(f"the adapter has {shape} for {path}, the model {linear_shape(linear)}")
    detach(model)
    for i, (linear, (block, path, name)) in enumerate(zip(linears, targets, strict=True)):
        layer = i // len(adapter.modules)
        lora = _wrap(linear, adapter.A[name][layer], adapter.B[name][layer], adapter.scale)
        block.update_modules(tree_unflatten([(path, lora)]))


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


def _attached(model: nn.Module) -> dict[str, LoRALinear]:
    from mlx_lm.tuner.lora import LoRALinear

    return {path: module for path, module in model.named_modules() if isinstance(module, LoRALinear)}


def _put(model: nn.Module, modules: dict[str, nn.Module]) -> None:
    if modules:
        model.update_modules(tree_unflatten(list(modules.items())))


def _wrap(linear: nn.Module, a: mx.array, b: mx.array, scale: float) -> LoRALinear:
    from mlx_lm.tuner.lora import LoRALinear

    lora = LoRALinear.from_base(linear, r=1, scale=scale)
    # The delta is computed in fp32 and then cast to the base's dtype, as in the reference.
    lora.lora_a, lora.lora_b = a.T.astype(mx.float32), b.astype(mx.float32)
    return lora
