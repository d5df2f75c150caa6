"""Configurations: what is refused, and the parameter counts of the paper."""

import json

import pytest
from mlx.utils import tree_flatten

from mlx_hypernet.format.config import BundleConfig, ConfigError, HypernetConfig
from tests import tiny

# (layers, hidden, MLP, Perceiver blocks) -> parameters; see "Parameter count" in the documentation.
COUNTS = {
    "Gemma-2-2B": (26, 2304, 9216, 8, 309_468_064),
    "Mistral-7B": (32, 4096, 14336, 9, 574_214_656),
    "Ministral-3-3B": (26, 3072, 9216, 9, 360_224_160),
}


@pytest.mark.parametrize(("layers", "hidden", "mlp", "blocks", "count"), COUNTS.values(), ids=COUNTS)
def test_parameter_count(layers, hidden, mlp, blocks, count):
    import torch

    from mlx_hypernet.hypernet import HyperNetwork
    from torch_train.model.hypernet import HyperNetwork as TorchNetwork

    modules = {"down_proj": (mlp, hidden)}
    config = HypernetConfig(layers, hidden, modules, 8, 45.2548, latent_size=512, num_latents=8, num_blocks=blocks)
    with torch.device("meta"):
        network = TorchNetwork(config)
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    # MLX is lazy: nothing of this is allocated.
    twin = {name: parameter.shape for name, parameter in tree_flatten(HyperNetwork(config).parameters())}
    assert twin == {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}


@pytest.mark.parametrize("config", tiny.VARIANTS.values(), ids=tiny.VARIANTS)
def test_round_trip(config):
    assert HypernetConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "colour"),
        ({"rank": 0}, "positive"),
        ({"rank": "8"}, "positive"),
        ({"modules": {}}, "at least one"),
        ({"modules": {"mlp.down_proj": [96, 64]}}, "last part"),
        ({"modules": [1]}, "HypernetConfig"),
        ({"num_kv_heads": 3}, "cannot share"),
        ({"num_pre_head_layers": 0}, "positive"),
    ],
)
def test_unusable_config_is_refused(change, message):
    data = tiny.HYPERNET.to_dict() | change
    with pytest.raises(ConfigError, match=message):
        HypernetConfig.from_dict(data)


def test_missing_keys_are_refused():
    with pytest.raises(ConfigError, match="rank"):
        HypernetConfig.from_dict({key: v for key, v in tiny.HYPERNET.to_dict().items() if key != "rank"})


def test_bundle_config_round_trip():
    config = tiny.bundle_config()
    assert BundleConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize("change", [{"dtype": "int8"}, {"max_chunk_tokens": 0}, {"base": None}, {"extra": 1}])
def test_unusable_bundle_config_is_refused(change):
    with pytest.raises(ConfigError):
        BundleConfig.from_dict(tiny.bundle_config().to_dict() | change)


def test_modules_are_put_in_order():
    config = tiny.VARIANTS["three modules"]
    assert list(config.modules) == ["down_proj", "q_proj", "v_proj"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prefix_ids": [96]}, "below 96"),
        ({"suffix_ids": [-1]}, "below 96"),
        ({"prefix_ids": [1.5]}, "below 96"),
        ({"prefix_ids": [True]}, "below 96"),
        ({"max_chunk_tokens": 10**12}, "max_chunk_tokens"),
        ({"max_chunk_tokens": True}, "max_chunk_tokens"),
        ({"hypernet": {"scale": float("nan")}}, "finite"),
        ({"hypernet": {"scale": float("inf")}}, "finite"),
        ({"hypernet": {"scale": "8"}}, "finite"),
        ({"hypernet": {"latent_size": 10**12}}, "positive integer"),
        ({"hypernet": {"rank": True}}, "positive integer"),
        ({"hypernet": {"modules": {"down_proj": [10**12, 64]}}}, "positive integer"),
        ({"hypernet": {"first_layer": 10**9}}, "first_layer"),
        ({"hypernet": {"modules": {"down_proj": [float("inf"), 64]}}}, "infinity"),
        ({"quantization": {"bits": 8.0}}, "8 or 4 bits"),
        ({"quantization": {"bits": 8, "group_size": 64.0}}, "8 or 4 bits"),
        ({"base": {"hidden_size": 64.0}}, "hidden_size"),
        ({"base": {"vocab_size": 10**12}}, "vocab_size"),
        ({"base": {"repository": ["a"]}}, "repository"),
        ({"base": {"model_type": None}}, "model_type"),
        ({"base": {"weight_sample": ["a"]}}, "weight_sample"),
    ],
)
def test_numbers_that_would_read_or_take_memory_beyond_measure_are_refused(change, message):
    data = tiny.bundle_config().to_dict()
    data |= {key: (data[key] or {}) | value if isinstance(value, dict) else value for key, value in change.items()}
    with pytest.raises(ConfigError, match=message):
        BundleConfig.from_dict(data)
