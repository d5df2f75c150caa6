"""Bundles: a hypernetwork's weights and what it needs to know about its base, in one folder.

`config.json` + `model.safetensors`. Faults are reported in one line, before anything is computed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten

from mlx_hypernet import matcher, quantization
from mlx_hypernet.base import (
    UnsupportedBaseError,
    base_linear,
    linear_shape,
    target_path,
    text_model,
)
from mlx_hypernet.fingerprint import fingerprint, same_weights
from mlx_hypernet.format.atomic import write_json
from mlx_hypernet.format.config import DTYPES, BaseInfo, BundleConfig, ConfigError
from mlx_hypernet.hypernet import HyperNetwork
from mlx_hypernet.identity import bundle_id, weights_id
from mlx_hypernet.matcher import Matcher
from mlx_hypernet.storage import DamagedFileError, read_tensors, write_tensors

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
MOST_FAULTS = 8  # in one message


class BundleError(Exception):
    """A bundle that is missing, damaged, or made for another base; the message says what to do."""


@dataclass(frozen=True)
class Bundle:
    """A loaded hypernetwork.

    Attributes:
        config: what the bundle says about itself.
        hypernet: the network with its weights.
        id: see `identity.bundle_id`.
        matcher: tells whether a chunk answers a question; None where the bundle has none.
    """

    config: BundleConfig
    hypernet: HyperNetwork
    id: str
    matcher: Matcher | None = None


def load_bundle(path: Path, dtype: mx.Dtype | None = None) -> Bundle:
    """Load a bundle from a folder.

    Args:
        path: the folder.
        dtype: makes the weights dense and brings them into this dtype: a CPU is fast in fp32 alone, and slowest with
            quantised matrices. None leaves them as they are stored.

    Raises:
        BundleError: when files are missing or damaged, or names, shapes or values of weights are wrong.
    """
    config = read_config(path)
    weights = _read_weights(path / WEIGHTS_FILE)
    if max(config.hypernet.num_blocks, config.hypernet.num_pre_head_layers) > len(weights):  # before they are built
        raise BundleError(f"{path} has {len(weights)} tensors, far too few for its configuration: fetch it again")
    hypernet = quantization.build(config)
    check_weights(hypernet, weights, path)
    if dtype is not None and config.quantization is not None:
        hypernet = HyperNetwork(config.hypernet)
        weights = quantization.dense(weights, config.quantization)
    hypernet.load_weights(list(weights.items()))
    if dtype is not None:
        hypernet.set_dtype(dtype)
    mx.eval(hypernet.parameters())
    return Bundle(config, hypernet, bundle_id(weights_id(path / WEIGHTS_FILE), config), _load_matcher(path, config))


def _load_matcher(path: Path, config: BundleConfig) -> Matcher | None:
    """Load the matcher that a bundle's configuration names; raises `BundleError`."""
    if config.matcher is None:
        return None
    file = path / matcher.FILE
    if not file.is_file() or weights_id(file) != config.matcher.weights:
        raise BundleError(f"{file} is missing or not the one its configuration names. Fetch the bundle again.")
    weights = _read_weights(file)
    if config.matcher.blocks > len(weights):
        raise BundleError(f"{file} has {len(weights)} tensors, far too few for its configuration: fetch it again")
    made = Matcher(config.matcher, config.base.hidden_size, config.base.vocab_size)
    check_weights(made, weights, path)
    made.load_weights(list(weights.items()))
    made.set_dtype(mx.float32)
    mx.eval(made.parameters())
    return made


def save_bundle(path: Path, config: BundleConfig, weights: dict[str, mx.array]) -> None:
    """Write a bundle into the folder `path`, which is made if missing."""
    path.mkdir(parents=True, exist_ok=True)
    write_tensors(path / WEIGHTS_FILE, weights)
    write_json(path / CONFIG_FILE, config.to_dict())


def read_config(path: Path) -> BundleConfig:
    """Read a bundle's `config.json`; raises `BundleError`."""
    missing = [name for name in (CONFIG_FILE, WEIGHTS_FILE) if not (path / name).is_file()]
    if missing:
        raise BundleError(f"{path} is not a bundle: {' and '.join(missing)} missing. Fetch or convert it again.")
    try:
        data = json.loads((path / CONFIG_FILE).read_text("utf-8"))
        if not isinstance(data, dict):
            raise ConfigError("not a JSON object")
        return BundleConfig.from_dict(data)
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path / CONFIG_FILE} is not usable: {error}. Fetch or convert the bundle again.") from error


def check_weights(network: nn.Module, weights: dict[str, mx.array], path: Path) -> None:
    """Compare names, shapes and values with the configuration; raises `BundleError` naming the first faults."""
    parameters: dict[str, mx.array] = dict(tree_flatten(network.parameters()))  # lazy: nothing is allocated
    expected = {name: parameter.shape for name, parameter in parameters.items()}
    faults = [f"missing {name}" for name in sorted(expected.keys() - weights.keys())]
    faults += [f"unknown {name}" for name in sorted(weights.keys() - expected.keys())]
    for name in sorted(expected.keys() & weights.keys()):
        if weights[name].shape != expected[name]:
            faults.append(f"{name} has shape {weights[name].shape}, expected {expected[name]}")
        elif not _same_kind(weights[name].dtype, parameters[name].dtype):
            faults.append(f"{name} is {weights[name].dtype}, expected {parameters[name].dtype}")
        elif not within_measure(weights[name]).item():
            faults.append(f"{name} holds NaN, infinity or a number beyond measure")
    if len(faults) > MOST_FAULTS:
        faults[MOST_FAULTS:] = [f"and {len(faults) - MOST_FAULTS} more"]
    if faults:
        raise BundleError(f"the weights in {path} do not match their configuration: {'; '.join(faults)}")


def within_measure(weights: mx.array) -> mx.array:
    """Whether every number is finite, and so small that products with it are (below 3e30)."""
    if not mx.issubdtype(weights.dtype, mx.floating):
        return mx.array(True)
    return mx.isfinite(weights.astype(mx.float32) * 1e8).all()


def _same_kind(one: mx.Dtype, other: mx.Dtype) -> bool:
    """Both floating point that every device computes with, or packed alike."""
    kinds = {getattr(mx, name) for name in DTYPES}
    return one in kinds if other in kinds else one == other


def check_fits(config: BundleConfig, model: nn.Module) -> None:
    """Refuse a base that the bundle was not made for; a quantised copy of the right one is accepted.

    Raises:
        BundleError: The shapes differ (the message has both), or the weights do.
    """
    wanted = config.base
    try:
        text = text_model(model)
        block = text.layers[0]
        linears = {name: base_linear(block, target_path(block, name)) for name in config.hypernet.modules}
    except UnsupportedBaseError as error:
        raise BundleError(f"the bundle does not fit the base: {error}") from error
    modules = {name: linear_shape(linear) for name, linear in linears.items()}
    ours = _shape(wanted.num_layers, wanted.hidden_size, wanted.vocab_size, config.hypernet.modules)
    hidden, vocabulary = text.norm.weight.shape[0], text.embed_tokens.weight.shape[0]
    theirs = _shape(len(text.layers), hidden, vocabulary, modules)
    name = wanted.repository or wanted.model_type
    if ours != theirs:
        raise BundleError(f"the bundle was made for {name} ({ours}), but the base has {theirs}: choose its own base")
    if not _has_weights_of(wanted, model):
        raise BundleError(
            f"the bundle was made for {name}, but the base has other weights of the same shape ({ours}): it is another "
            "fine-tune, or an adapter was merged into it. Choose the bundle's own base"
        )


def _has_weights_of(wanted: BaseInfo, model: nn.Module) -> bool:
    if wanted.weight_sample is None:
        return wanted.fingerprint in (None, fingerprint(model))
    try:
        return same_weights(wanted.weight_sample, model)
    except ConfigError as error:
        raise BundleError(f"{error}: fetch or convert the bundle again") from error


def _shape(layers: int, hidden: int, vocab: int, modules: dict[str, tuple[int, int]]) -> str:
    targets = ", ".join(f"{name} {d_in}->{d_out}" for name, (d_in, d_out) in modules.items())
    return f"{layers} layers, hidden {hidden}, vocabulary {vocab}, {targets}"


def _read_weights(path: Path) -> dict[str, mx.array]:
    try:
        return read_tensors(path)[0]
    except DamagedFileError as error:
        raise BundleError(f"{error}. Fetch or convert the bundle again.") from error
