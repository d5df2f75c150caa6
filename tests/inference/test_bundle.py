"""Bundles: what is wrong with one is said in one line, before anything is computed."""

import json
import re
from dataclasses import replace

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten

from mlx_hypernet import quantization
from mlx_hypernet.bundle import BundleError, check_fits, load_bundle, save_bundle
from mlx_hypernet.fingerprint import describe
from mlx_hypernet.format.config import BundleConfig, Quantization
from mlx_hypernet.identity import bundle_id
from tests import tiny


@pytest.fixture
def folder(tmp_path, bundle):
    """A bundle on disk."""
    save_bundle(tmp_path / "bundle", bundle.config, dict(tree_flatten(bundle.hypernet.parameters())))
    return tmp_path / "bundle"


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(folder, change):
    path = str(folder / "model.safetensors")
    weights = {name: weight + 0 for name, weight in mx.load(path).items()}
    mx.eval(weights)
    change(weights)
    mx.save_safetensors(path, weights)


def refused(folder, *words):
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_round_trip(folder, bundle, base):
    loaded = load_bundle(folder)
    assert loaded.config == bundle.config
    assert re.fullmatch("[0-9a-f]{16}-[0-9a-f]{8}", loaded.id)
    check_fits(loaded.config, base)
    features = mx.random.normal((1, 5, 64), key=mx.random.key(0))
    for one, other in zip(
        loaded.hypernet(features, 1)["down_proj"], bundle.hypernet(features, 1)["down_proj"], strict=True
    ):
        assert mx.array_equal(one, other)


def test_dtype_can_be_chosen(folder):
    loaded = load_bundle(folder, mx.bfloat16)
    assert {weight.dtype for _, weight in tree_flatten(loaded.hypernet.parameters())} == {mx.bfloat16}


def test_missing(tmp_path):
    refused(tmp_path / "nowhere", "config.json", "model.safetensors", "missing")


@pytest.mark.parametrize("keep", [0, 7, 100, 5000, -1])
def test_truncated_weights(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    refused(folder, "damaged")


def test_garbage_weights(folder):
    (folder / "model.safetensors").write_bytes(b"\xff" * 4096)
    refused(folder, "damaged")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"hypernet": 3}', "\x00\x01"])
def test_garbage_config(folder, text):
    (folder / "config.json").write_text(text)
    refused(folder, "config.json")


def test_binary_config(folder):
    (folder / "config.json").write_bytes(b"\xff\xfe\x00")
    refused(folder, "config.json")


def test_unknown_config_key(folder):
    edit_config(folder, colour="blue")
    refused(folder, "colour")


def test_all_faults_of_the_weights_are_named(folder):
    def change(weights):
        del weights["head.weight"]
        weights["tail.weight"] = mx.zeros(3)
        weights["encoder.norm.weight"] = mx.zeros(3)
        weights["decoder.norm.weight"] = mx.full(32, float("nan"))

    edit_weights(folder, change)
    refused(folder, "missing head.weight", "unknown tail.weight", "encoder.norm.weight has shape", "NaN")


@pytest.mark.parametrize("dtype", [mx.int32, mx.bool_], ids=str)
def test_weights_of_other_kinds_are_refused(folder, dtype):
    edit_weights(folder, lambda weights: weights.update({"head.weight": weights["head.weight"].astype(dtype)}))
    refused(folder, f"head.weight is {dtype}, expected mlx.core.float32")


def test_packed_weights_of_another_kind_are_refused(folder, bundle):
    config = replace(bundle.config, quantization=Quantization(8, 32))
    stored = {name: mx.zeros(*facts) for name, facts in quantization.layout(config).items()}
    name = next(name for name, weight in stored.items() if weight.dtype == mx.uint32)
    save_bundle(folder, config, stored | {name: stored[name].astype(mx.int32)})
    refused(folder, f"{name} is mlx.core.int32, expected mlx.core.uint32")


@pytest.mark.parametrize("name", ["num_blocks", "num_pre_head_layers"])
def test_a_network_of_more_parts_than_tensors_is_not_built(folder, name):
    edit_config(folder, hypernet=json.loads((folder / "config.json").read_text())["hypernet"] | {name: 1 << 20})
    refused(folder, "far too few")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"num_layers": 4}, "4 layers"),
        ({"hidden_size": 128}, "hidden 128"),
        ({"vocab_size": 97}, "vocabulary 97"),
    ],
)
def test_other_base_is_refused_with_both_shapes(base, bundle, change, word):
    data = bundle.config.to_dict()
    data["base"] |= change
    data["hypernet"] |= {key: value for key, value in change.items() if key in data["hypernet"]}
    with pytest.raises(BundleError) as caught:
        check_fits(BundleConfig.from_dict(data), base)
    assert word in str(caught.value)
    assert "3 layers, hidden 64, vocabulary 96, down_proj 96->64" in str(caught.value)


def test_other_modules_are_refused(base, bundle):
    for modules, word in (({"down_proj": (97, 64)}, "97->64"), ({"wq": (64, 64)}, "wq")):
        data = bundle.config.to_dict()
        data["hypernet"]["modules"] = modules
        with pytest.raises(BundleError, match=word):
            check_fits(BundleConfig.from_dict(data), base)


def test_other_weights_of_the_same_shape_are_refused(tmp_path, base, bundle):
    data = bundle.config.to_dict()
    data["base"]["fingerprint"] = describe(base).fingerprint
    config = BundleConfig.from_dict(data)
    check_fits(config, base)
    with pytest.raises(BundleError, match="other weights"):
        check_fits(config, tiny.load_base(tiny.save_base(tmp_path, seed=1)))


def test_quantised_and_rounded_copies_are_the_same_base(base, bundle):
    from mlx import nn

    fingerprint = describe(base).fingerprint
    base.set_dtype(mx.bfloat16)
    assert describe(base).fingerprint == fingerprint
    nn.quantize(base, group_size=32, bits=4)
    assert describe(base).fingerprint == fingerprint
    check_fits(bundle.config, base)


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("hypernet", {"scale": 3.0}),
        ("hypernet", {"reads_template": False}),
        ("base", {"fingerprint": "0123456789abcdef"}),
        (None, {"max_chunk_tokens": 17}),
        (None, {"prefix_ids": [9]}),
    ],
)
def test_the_id_covers_the_configuration(folder, section, change):
    bundle = load_bundle(folder)
    data = bundle.config.to_dict()
    (data[section] if section else data).update(change)
    weights = bundle.id.partition("-")[0]
    changed = bundle_id(weights, BundleConfig.from_dict(data))
    assert changed != bundle.id
    assert changed.partition("-")[0] == weights


def test_the_id_does_not_depend_on_provenance_or_on_defaults_left_out(folder):
    bundle = load_bundle(folder)
    data = bundle.config.to_dict()
    data["source"] = {"repository": "elsewhere", "revision": "r", "step": 9}
    data["tool_version"] = "9.9"
    data["base"]["repository"] = "someone/else"
    for name in (
        "first_layer",
        "feature_norm",
        "reads_template",
        "projection_factor",
        "token_pairs",
    ):  # of later versions
        del data["hypernet"][name]
    del data["quantization"], data["base"]["weight_sample"]
    assert bundle_id(bundle.id.partition("-")[0], BundleConfig.from_dict(data)) == bundle.id
