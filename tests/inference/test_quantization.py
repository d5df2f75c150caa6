"""Quantised hypernetworks: the same network with rounded matrices, from conversion to loading."""

from __future__ import annotations

import json
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_hypernet import quantization
from mlx_hypernet.bundle import WEIGHTS_FILE, BundleError, load_bundle
from mlx_hypernet.format.atomic import write_json
from mlx_hypernet.format.config import ConfigError, Quantization
from mlx_hypernet.hypernet import HyperNetwork
from mlx_hypernet.storage import write_stream
from tests import tiny

# 64 -> 160 in the head, 32 -> 128 in the MLPs: rows of one, four and five groups; nothing of it is square.
CONFIG = replace(tiny.make_bundle().config, quantization=Quantization(8, group_size=32))


def weights() -> dict[str, mx.array]:
    """Random parameters, so that nothing is zero."""
    shapes = HyperNetwork(CONFIG.hypernet).parameter_shapes()
    keys = mx.random.split(mx.random.key(3), len(shapes))
    return {name: mx.random.normal(shape, key=key) for (name, shape), key in zip(shapes.items(), keys, strict=True)}


def save(folder, config):
    stored = quantization.layout(config)
    folder.mkdir()
    parts = (part for name, weight in weights().items() for part in quantization.store(config, stored, name, weight))
    write_stream(folder / WEIGHTS_FILE, stored, parts)
    write_json(folder / "config.json", config.to_dict())
    return folder


def generated(hypernet):
    features = mx.random.normal((2, 7, 64), key=mx.random.key(1))
    return [np.array(x.astype(mx.float32)) for layer in range(3) for x in hypernet(features, layer)["down_proj"]]


@pytest.mark.parametrize("bits", [8, 4])
def test_computes_with_the_rounded_matrices(tmp_path, bits):
    """Against an ordinary network that is given the rounded values."""
    config = replace(CONFIG, quantization=Quantization(bits, group_size=32))
    loaded = load_bundle(save(tmp_path / "bundle", config))
    assert loaded.config == config
    stored = quantization.layout(config)
    rounded = {}
    for name, weight in weights().items():
        path = name.rpartition(".")[0]
        if name.endswith(".weight") and f"{path}.scales" in stored:
            weight = mx.dequantize(*mx.quantize(weight, 32, bits), group_size=32, bits=bits)
            assert not mx.array_equal(weight, weights()[name])
        rounded[name] = weight
    dense = HyperNetwork(config.hypernet)
    dense.load_weights(list(rounded.items()))
    for ours, expected in zip(generated(loaded.hypernet), generated(dense), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)


def test_every_matrix_and_nothing_else_is_quantised():
    quantised = {name.rpartition(".")[0] for name in quantization.layout(CONFIG) if name.endswith(".scales")}
    assert {"head", "pre_head.0.up", "pre_head.0.down", "encoder.blocks.1.mlp.down_proj"} <= quantised
    assert not any("norm" in name for name in quantised)
    matrices = {n for n, shape in HyperNetwork(CONFIG.hypernet).parameter_shapes().items() if n.endswith("weight")}
    assert quantised == {n.rpartition(".")[0] for n in matrices if "norm" not in n}


def test_rows_that_are_no_whole_groups_stay(tmp_path):
    config = replace(CONFIG, quantization=Quantization(8, group_size=128))
    quantised = {name.rpartition(".")[0] for name in quantization.layout(config) if name.endswith(".scales")}
    assert "pre_head.0.up" in quantised  # 128 wide
    assert "head" not in quantised  # 160 wide
    assert load_bundle(save(tmp_path / "bundle", config)).hypernet.head.weight.dtype == mx.float32


def test_another_dtype_makes_it_dense(tmp_path):
    folder = save(tmp_path / "bundle", CONFIG)
    packed, dense = load_bundle(folder).hypernet, load_bundle(folder, mx.float32).hypernet
    parameters = dict(tree_flatten(dense.parameters()))
    assert {name: parameter.shape for name, parameter in parameters.items()} == HyperNetwork(
        CONFIG.hypernet
    ).parameter_shapes()
    assert {parameter.dtype for parameter in parameters.values()} == {mx.float32}
    for one, other in zip(generated(dense), generated(packed), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(other).max(), rtol=0)


def test_smaller_on_disk(tmp_path):
    sizes = [
        (save(tmp_path / name, replace(CONFIG, dtype="bfloat16", quantization=q)) / WEIGHTS_FILE).stat().st_size
        for name, q in (("dense", None), ("8", Quantization(8)), ("4", Quantization(4)))
    ]
    assert sizes == sorted(sizes, reverse=True)


def test_dense_weights_under_a_quantised_configuration_are_refused(tmp_path):
    folder = save(tmp_path / "bundle", replace(CONFIG, quantization=None))
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", config | {"quantization": {"bits": 8, "group_size": 32}})
    with pytest.raises(BundleError, match=r"missing decoder\.blocks\.0\.attention\.k_proj\.scales"):
        load_bundle(folder)


@pytest.mark.parametrize("data", [{"bits": 5}, {"bits": 8, "group_size": 7}, {"bits": 8, "colour": 1}, 8])
def test_bad_configuration(data):
    with pytest.raises(ConfigError):
        type(CONFIG).from_dict(CONFIG.to_dict() | {"quantization": data})
