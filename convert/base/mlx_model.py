"""mlx-lm's own model for a configuration: built, checked against the weights, quantised; nothing is computed yet."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten

from convert.base.config import CONFIG_FILE
from convert.base.shards import listed
from convert.errors import FOREIGN, CheckpointError, ConversionError, one_line
from mlx_hypernet.format.published import BASE_BITS

DOWN_PROJ_BITS, GROUP_SIZE = (8, 16), 64


def check_bits(q_bits: int | None, down_proj_bits: int | None) -> None:
    """Refuse numbers of bits that a base cannot have.

    Raises:
        ConversionError: saying which it can have.
    """
    if q_bits not in (None, *BASE_BITS):
        raise ConversionError(f"a base can have {', '.join(map(str, BASE_BITS))} bits, not {q_bits}")
    if down_proj_bits is None:
        return
    if q_bits is None or down_proj_bits not in DOWN_PROJ_BITS or down_proj_bits < q_bits:
        raise ConversionError(f"--down-proj-bits {down_proj_bits}: give 8 or 16, together with a --q-bits not above it")


def build_model(config: dict[str, Any]) -> nn.Module:
    """The model of a `config.json`, with random weights that are not computed.

    Raises:
        CheckpointError: when mlx-lm does not know the model, or the configuration says too little.
    """
    from mlx_lm.utils import _get_classes

    try:
        model_class, arguments_class = _get_classes(config)
        return model_class(arguments_class.from_dict(config))
    except FOREIGN as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise CheckpointError(
            f"mlx-lm cannot build a {config['model_type']} from {CONFIG_FILE} ({reason}): get the repository again"
        ) from error


def check_weights(model: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Compare names and shapes of weights with what the model needs.

    Raises:
        CheckpointError: naming everything that is missing, unknown or of another shape.
    """
    expected: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
    missing, unknown = sorted(expected.keys() - shapes.keys()), sorted(shapes.keys() - expected.keys())
    misshapen = [
        f"{name} is {shapes[name]}, not {expected[name].shape}"
        for name in sorted(expected.keys() & shapes.keys())
        if shapes[name] != expected[name].shape
    ]
    faults = {"missing": missing, "unknown": unknown, "wrong shape:": misshapen}
    if found := [f"{fault} {listed(names)}" for fault, names in faults.items() if names]:
        raise CheckpointError(f"the weights do not fit {CONFIG_FILE}: {'; '.join(found)}")


def quantise(
    model: nn.Module, config: dict[str, Any], bits: int, down_proj_bits: int | None
) -> tuple[nn.Module, dict[str, Any]]:
    """Quantise a model as mlx-lm does, affine in groups of `GROUP_SIZE`.

    Args:
        model: with its weights.
        config: its configuration.
        bits: of the weights.
        down_proj_bits: of the `down_proj` weights; 16 for not quantised, None for `bits`.

    Returns:
        The model, not computed yet, and the configuration that says how it is quantised.
    """
    from mlx_lm.utils import quantize_model

    def how(path: str, module: nn.Module) -> bool | dict[str, Any]:
        if down_proj_bits is None or path.rpartition(".")[2] != "down_proj":
            return True
        return False if down_proj_bits == 16 else {"group_size": GROUP_SIZE, "bits": down_proj_bits, "mode": "affine"}

    with redirect_stdout(sys.stderr):  # mlx-lm prints the bits per weight
        return quantize_model(model, config, GROUP_SIZE, bits, quant_predicate=how)
