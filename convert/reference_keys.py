"""Names and shapes of parameters: the reference implementation's and ours, one map, both ways.

Pure functions from dict to dict. Values may be of torch, numpy or MLX, and become views where the framework
has views, so that translating a memory-mapped checkpoint reads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from convert.errors import CheckpointError
from mlx_hypernet.format.config import HypernetConfig
from mlx_hypernet.hypernet import HyperNetwork

# Theirs, ours; `{x}` is one part of a name and the same on both sides.
_STACK, _BLOCK = "aggregator.perceiver.{stack}", "aggregator.perceiver.{stack}.layers.{block}"
KEY_MAP = (
    ("aggregator.perceiver.modality_projection.{linear}.weight", "modality_projection.{linear}.weight"),
    (f"{_STACK}.latents_q", "{stack}.latents"),
    (f"{_STACK}.layernorm.weight", "{stack}.norm.weight"),
    (f"{_BLOCK}.input_latents_layernorm.weight", "{stack}.blocks.{block}.latents_norm.weight"),
    (f"{_BLOCK}.input_context_layernorm.weight", "{stack}.blocks.{block}.context_norm.weight"),
    (f"{_BLOCK}.self_attn.{{linear}}.weight", "{stack}.blocks.{block}.attention.{linear}.weight"),
    (f"{_BLOCK}.post_attention_layernorm.weight", "{stack}.blocks.{block}.post_attention_norm.weight"),
    (f"{_BLOCK}.pre_ff_layernorm.weight", "{stack}.blocks.{block}.pre_mlp_norm.weight"),
    (f"{_BLOCK}.mlp.{{linear}}.weight", "{stack}.blocks.{block}.mlp.{linear}.weight"),
    (f"{_BLOCK}.post_ff_layernorm.weight", "{stack}.blocks.{block}.post_mlp_norm.weight"),
    ("head.weight", "head.weight"),
    ("bias_{side}.{module}", "bias_{side}.{module}"),
    ("scaler_{side}.{module}", "scaler_{side}.{module}"),
)
# The pre-head MLPs are torch Sequentials: one has weights for each base layer, the other counts its dropouts.
PER_LAYER_MLP = (
    ("layers.{mlp}.layers.0.{kind}", "pre_head.{mlp}.norm_in.{kind}"),
    ("layers.{mlp}.layers.1.{kind}", "pre_head.{mlp}.up.{kind}"),
    ("layers.{mlp}.layers.3.{kind}", "pre_head.{mlp}.down.{kind}"),
    ("layers.{mlp}.layers.4.{kind}", "pre_head.{mlp}.norm_out.{kind}"),
)
SHARED_MLP = (
    ("layers.{mlp}.mlp.0.{kind}", "pre_head.{mlp}.norm_in.{kind}"),
    ("layers.{mlp}.mlp.2.{kind}", "pre_head.{mlp}.up.{kind}"),
    ("layers.{mlp}.mlp.5.{kind}", "pre_head.{mlp}.down.{kind}"),
    ("layers.{mlp}.mlp.6.{kind}", "pre_head.{mlp}.norm_out.{kind}"),
)
# What torch.compile and the data-parallel wrappers put in front.
_WRAPPERS = re.compile(r"^(?:_orig_mod\.|module\.)+")
_PRE_HEAD_MATRIX = re.compile(r"pre_head\.\d+\.(?:up|down)\.weight")
_PRE_HEAD_BIAS = re.compile(r"pre_head\.\d+\.(?:up|down)\.bias")


def to_ours(tensors: Mapping[str, Any], config: HypernetConfig) -> dict[str, Any]:
    """Rename and reshape a reference checkpoint's tensors; axes of length 1 do not count.

    Raises:
        CheckpointError: naming all unknown keys, missing keys and wrong shapes at once.
    """
    expected = expected_shapes(config, len(tensors))
    ours: dict[str, Any] = {}
    faults = []
    for key, tensor in tensors.items():
        name = _rename(_WRAPPERS.sub("", key), _pairs(config))
        if name not in expected:
            faults.append(f"unknown {key}")
        elif name in ours:
            faults.append(f"{name} comes twice, also as {key}")
        else:
            shape = tuple(tensor.shape)
            transposed = _is_transposed(name, config) and len(shape) == 2
            tensor = tensor.T if transposed else tensor
            if _long_axes(tensor.shape) != _long_axes(expected[name]):
                faults.append(f"{key} has shape {shape}, expected {_their_shape(name, expected[name], config)}")
            ours[name] = tensor
    faults += [f"missing {_rename(name, _inverse(config))}" for name in expected if name not in ours]
    if faults:
        raise CheckpointError(f"the checkpoint's tensors do not match its configuration: {'; '.join(faults)}")
    return {name: ours[name].reshape(shape) for name, shape in expected.items()}


def to_theirs(tensors: Mapping[str, Any], config: HypernetConfig) -> dict[str, Any]:
    """The inverse of `to_ours`: our parameters under the reference's names, in its shapes."""
    theirs = {}
    for name, tensor in tensors.items():
        shape = _their_shape(name, tuple(tensor.shape), config)
        key = _rename(name, _inverse(config))
        assert key is not None, name
        theirs[key] = tensor[0].T if _is_transposed(name, config) else tensor.reshape(shape)
    return theirs


def expected_shapes(config: HypernetConfig, tensors: int) -> dict[str, tuple[int, ...]]:
    """Our parameters' names and shapes by the configuration of a file with so many tensors.

    Raises:
        CheckpointError: when the configuration cannot be that of this file, before a network is built from it.
    """
    try:
        if max(config.num_blocks, config.num_pre_head_layers) <= tensors:
            return HyperNetwork(config).parameter_shapes()
    except (OverflowError, RuntimeError) as error:  # what MLX says of sizes that no array has
        raise CheckpointError(f"no network can be built from the checkpoint's configuration: {config}") from error
    raise CheckpointError(f"{tensors} tensors are far too few for the checkpoint's configuration: {config}")


def _their_shape(name: str, shape: tuple[int, ...], config: HypernetConfig) -> tuple[int, ...]:
    """Shape in the reference of our parameter `name` of `shape`."""
    if _is_transposed(name, config):
        return shape[:0:-1]  # (1, in, out) -> (out, in)
    if _PRE_HEAD_BIAS.fullmatch(name):
        layers, size = shape
        return (1, layers, 1, 1, size) if config.per_layer_processing else (size,)
    if name == "head.weight" and len(config.modules) == 1:
        return shape[0], *shape[2:]
    return (1, *shape) if name.startswith("scaler_") else shape


def _is_transposed(name: str, config: HypernetConfig) -> bool:
    """Shared pre-head MLPs are torch Linears, stored (out, in)."""
    return not config.per_layer_processing and _PRE_HEAD_MATRIX.fullmatch(name) is not None


def _pairs(config: HypernetConfig) -> tuple[tuple[str, str], ...]:
    return KEY_MAP + (PER_LAYER_MLP if config.per_layer_processing else SHARED_MLP)


def _inverse(config: HypernetConfig) -> Iterable[tuple[str, str]]:
    return [(ours, theirs) for theirs, ours in _pairs(config)]


def _rename(name: str, pairs: Iterable[tuple[str, str]]) -> str | None:
    for source, target in pairs:
        pattern = re.escape(source).replace(r"\{", "(?P<").replace(r"\}", r">[^.]+)")
        if match := re.fullmatch(pattern, name):
            return target.format(**match.groupdict())
    return None


def _long_axes(shape: Iterable[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)
