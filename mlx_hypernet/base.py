"""The anatomy of an mlx-lm base: where its blocks are, which linears carry an adapter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlx import nn
from mlx.utils import tree_unflatten


class UnsupportedBaseError(ValueError):
    """A base model that this package cannot read or adapt."""


def module_path_prefix(model: nn.Module) -> str:
    """Path of the text model: `model`, `language_model.model` on multimodal wrappers, or empty.

    Raises:
        UnsupportedBaseError: when no part of the model has `embed_tokens`, `layers` and `norm`.
    """
    level: list[tuple[str, nn.Module]] = [("", model)]
    while level:
        for path, module in level:
            if all(hasattr(module, name) for name in ("embed_tokens", "layers", "norm")):
                return path
        below = [(path, name, child) for path, module in level for name, child in module.children().items()]
        level = [(f"{path}.{name}".lstrip("."), child) for path, name, child in below if isinstance(child, nn.Module)]
    kind = getattr(model, "model_type", type(model).__name__)
    raise UnsupportedBaseError(f"base models of type {kind} are not supported: no embed_tokens, layers and norm")


def text_model(model: nn.Module) -> Any:
    """The part with `embed_tokens`, `layers` and `norm`: below any wrapper, without the LM head."""
    module: Any = model
    for name in filter(None, module_path_prefix(model).split(".")):
        module = getattr(module, name)
    return module


def target_path(layer: nn.Module, name: str) -> str:
    """Path inside a block of the one module called `name`: `down_proj` -> `mlp.down_proj`.

    Raises:
        UnsupportedBaseError: when the block has no such module, or several.
    """
    paths = [path for path, _ in layer.named_modules() if path.rpartition(".")[2] == name]
    if len(paths) != 1:
        what = f"has {len(paths)} modules {name!r} in one block" if paths else f"has no module {name!r}"
        raise UnsupportedBaseError(f"the base model {what}: this hypernetwork was not made for it")
    return paths[0]


def module_at(layer: nn.Module, path: str) -> nn.Module:
    """The module at a path of a block.

    Raises:
        UnsupportedBaseError: when there is none.
    """
    module: Any = layer
    for name in path.split("."):
        module = getattr(module, name, None)
    if module is None:
        raise UnsupportedBaseError(f"the base model has no module {path!r} in one of its blocks")
    return module


def replace_modules(module: nn.Module, modules: Mapping[str, nn.Module]) -> None:
    """Put other modules at these paths of a module."""
    if modules:
        module.update_modules(tree_unflatten(list(modules.items())))


def base_linear(layer: nn.Module, path: str) -> nn.Module:
    """The base's own linear at `path` of a block, whether or not an adapter is around it.

    Raises:
        UnsupportedBaseError: when nothing or something else is there.
    """
    module = module_at(layer, path)
    linear = getattr(module, "linear", module)
    if not isinstance(linear, nn.Linear | nn.QuantizedLinear):
        raise UnsupportedBaseError(f"{path} is a {type(linear).__name__}: only linear layers carry an adapter")
    return linear


def linear_shape(linear: nn.Module) -> tuple[int, int]:
    """(d_in, d_out) of a Linear, quantised or not."""
    d_out, d_in = linear.weight.shape
    if isinstance(linear, nn.QuantizedLinear):
        d_in = d_in * 32 // linear.bits
    return d_in, d_out
