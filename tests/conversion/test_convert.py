"""`convert-weights`: the bundle appears complete and proven, or not at all."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten
from safetensors.torch import load_file, save_file

from mlx_hypernet.bundle import load_bundle
from mlx_hypernet.fingerprint import fingerprint
from mlx_hypernet.format.config import MatcherConfig
from mlx_hypernet.identity import weights_id
from mlx_hypernet.matcher import Matcher
from tests import tiny
from tests.conversion.command import converts, fails, run

ROWS = ["features", "latents", "A", "B", "combined adapter", "logits"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A tiny random base."""
    return tiny.save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def checkpoint(tmp_path):
    """A training checkpoint that knows no base."""
    return tiny.save_checkpoint(tmp_path / "checkpoint", None)


def parity(bundle):
    return json.loads((bundle / "conversion.json").read_text())["parity"]


@pytest.mark.parametrize("hypernet", ["plain", "three modules", "two shared MLPs", "early exit", "as smol"])
def test_fp32_with_logits(tmp_path, base, hypernet):
    checkpoint = tiny.save_checkpoint(tmp_path / "checkpoint", base, tiny.VARIANTS[hypernet])
    result = converts(checkpoint, tmp_path / "bundle")
    report = parity(tmp_path / "bundle")
    assert [row["tensor"] for row in report["differences"]] == ROWS
    assert all(row["max_absolute"] < 1e-4 for row in report["differences"])
    assert "logits" in result.stdout
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.config.base.fingerprint == fingerprint(tiny.load_base(base))
    assert bundle.config.source["step"] == 7
    ours, theirs = dict(tree_flatten(bundle.hypernet.parameters())), load_file(checkpoint / "model.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(mx.array_equal(ours[name], mx.array(weight.numpy())) for name, weight in theirs.items())
    count = sum(weight.numel() for weight in theirs.values())
    assert report["parameters"] == {"torch": count, "mlx": count}


def test_hashes_are_those_of_the_files(tmp_path, checkpoint):
    converts(checkpoint, tmp_path / "bundle", "--verify", 0)
    conversion = json.loads((tmp_path / "bundle" / "conversion.json").read_text())
    for folder, hashes in ((checkpoint, conversion["source"]["files"]), (tmp_path / "bundle", conversion["result"])):
        assert "model.safetensors" in hashes
        for name, digest in hashes.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit(tmp_path, checkpoint, base, dtype):
    converts(checkpoint, tmp_path / "bundle", "--base", base, "--dtype", dtype)
    assert load_bundle(tmp_path / "bundle").hypernet.head.weight.dtype == getattr(mx, dtype)


@pytest.mark.parametrize("bits", [8, 4])
def test_quantised(tmp_path, checkpoint, base, bits):
    result = converts(checkpoint, tmp_path / "bundle", "--base", base, "--dtype", "bfloat16", "--q-bits", bits)
    assert f"{bits} bits" in result.stdout
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.config.quantization.bits == bits
    assert bundle.hypernet.modality_projection.gate_proj.bits == bits
    counts = parity(tmp_path / "bundle")["parameters"]
    assert counts["torch"] == counts["mlx"]
    if bits == 4:
        assert parity(tmp_path / "bundle")["differences"][1]["rms_relative"] > 1e-3


def test_several_seeds_differ(tmp_path, checkpoint):
    result = converts(checkpoint, tmp_path / "bundle", "--verify", 3)
    report = parity(tmp_path / "bundle")
    inputs = [json.dumps(rows) for rows in report["inputs"]]
    assert len(set(inputs)) == 3
    worst = max(rows[0]["max_absolute"] for rows in report["inputs"])
    assert report["differences"][0]["max_absolute"] == worst
    assert "3 seeded inputs" in result.stdout


def test_without_a_base_logits_are_left_out(tmp_path, checkpoint):
    assert "no base given" in converts(checkpoint, tmp_path / "bundle").stdout
    assert [row["tensor"] for row in parity(tmp_path / "bundle")["differences"]] == ROWS[1:-1]


def test_a_quantised_base_is_checked_and_logits_are_left_out(tmp_path, checkpoint, base):
    from mlx import nn
    from mlx_lm.utils import save_config, save_model

    model = tiny.load_base(base)
    nn.quantize(model, 32, 8)
    save_model(tmp_path / "base", model)
    config = json.loads((base / "config.json").read_text())
    save_config(config | {"quantization": {"group_size": 32, "bits": 8}}, tmp_path / "base" / "config.json")
    result = converts(checkpoint, tmp_path / "bundle", "--base", tmp_path / "base")
    assert "the base is quantised" in result.stdout
    assert load_bundle(tmp_path / "bundle").config.base.fingerprint == fingerprint(tiny.load_base(base))


def test_without_verify_torch_is_not_imported(tmp_path, checkpoint, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] in ("torch", "torch_train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    converts(checkpoint, tmp_path / "bundle", "--verify", 0)
    fails(1, "--verify 0", checkpoint, tmp_path / "another")


def test_settings_of_chunks_can_be_given(tmp_path, checkpoint):
    arguments = ["--prefix-ids", "5,6", "--suffix-ids", "", "--max-chunk-tokens", 99]
    converts(checkpoint, tmp_path / "bundle", "--verify", 0, *arguments)
    config = load_bundle(tmp_path / "bundle").config
    assert (config.prefix_ids, config.suffix_ids, config.max_chunk_tokens) == ((5, 6), (), 99)


@pytest.mark.parametrize("option", [["--prefix-ids", "96"], ["--max-chunk-tokens", 10**9]])
def test_impossible_settings_of_chunks_are_refused(tmp_path, checkpoint, option):
    fails(5, "cannot become a bundle", checkpoint, tmp_path / "bundle", "--verify", 0, *option)


@pytest.fixture
def matcher(tmp_path):
    """A matcher as its training writes it."""
    folder = tmp_path / "matcher"
    folder.mkdir()
    shape = MatcherConfig(layer=1, width=8, blocks=1, heads=2, weights="")
    weights = dict(tree_flatten(Matcher(shape, tiny.BASE["hidden_size"], tiny.BASE["vocab_size"]).parameters()))
    mx.save_safetensors(str(folder / "matcher.safetensors"), weights)
    (folder / "matcher.json").write_text(json.dumps({"matcher": asdict(shape), "dev": {}}))
    return folder


def test_a_matcher_goes_along(tmp_path, checkpoint, matcher):
    converts(checkpoint, tmp_path / "bundle", "--verify", 0, "--matcher", matcher)
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.matcher.config.width == 8
    assert loaded.matcher.config.weights == weights_id(matcher / "matcher.safetensors")
    assert "matcher.safetensors" in json.loads((tmp_path / "bundle" / "conversion.json").read_text())["result"]
    converts(checkpoint, tmp_path / "bundle", "--verify", 0, "--force")
    assert load_bundle(tmp_path / "bundle").matcher is None
    assert not (tmp_path / "bundle" / "matcher.safetensors").exists()


def test_a_matcher_that_is_none_is_refused(tmp_path, checkpoint, matcher):
    arguments = (checkpoint, tmp_path / "bundle", "--verify", 0, "--matcher")
    fails(5, "no matcher that can be read", *arguments, tmp_path / "nowhere")
    fails(2, "for hypernetworks", tiny.save_base(tmp_path / "base"), tmp_path / "x", "--matcher", matcher)
    os.truncate(matcher / "matcher.safetensors", 100)
    fails(5, "no matcher that can be read", *arguments, matcher)
    (matcher / "matcher.json").write_text("[1]")
    fails(5, "no matcher that can be read", *arguments, matcher)


def test_a_base_goes_the_way_of_bases(tmp_path, make_base):
    make_base(tmp_path / "base", seed=0)
    result = converts(tmp_path / "base", tmp_path / "mlx", "--dtype", "float32")
    assert "logits" in result.stdout
    assert (tmp_path / "mlx" / "base_conversion.json").is_file()
    assert tiny.load_base(tmp_path / "mlx").layers
    fails(2, "for hypernetworks", tmp_path / "base", tmp_path / "x", "--base", tmp_path / "base")
    fails(2, "for hypernetworks", tmp_path / "base", tmp_path / "x", "--max-chunk-tokens", 9)


def test_truncated_weights(tmp_path, checkpoint):
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    fails(5, "damaged", checkpoint, tmp_path / "bundle")


@pytest.mark.parametrize("length", [0, 1 << 20, (1 << 63) - 1])
def test_header_that_lies_about_its_length(tmp_path, checkpoint, length):
    path = checkpoint / "model.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    fails(5, "damaged", checkpoint, tmp_path / "bundle")


def test_header_that_points_past_the_end(tmp_path, checkpoint):
    path = checkpoint / "model.safetensors"
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["head.weight"]["data_offsets"][1] += 1 << 30
    encoded = json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + data[8 + size :])
    fails(5, "damaged", checkpoint, tmp_path / "bundle")


def test_unknown_missing_and_misshapen_weights_are_named_together(tmp_path, checkpoint):
    weights = load_file(checkpoint / "model.safetensors")
    weights["tail.weight"] = weights.pop("head.weight")
    weights["encoder.norm.weight"] = weights["encoder.norm.weight"][:3].clone()
    save_file(weights, checkpoint / "model.safetensors")
    for words in ("missing head.weight; unknown tail.weight", "encoder.norm.weight has shape (3,), expected (32,)"):
        fails(5, words, checkpoint, tmp_path / "bundle")


def test_nan(tmp_path, checkpoint):
    weights = load_file(checkpoint / "model.safetensors")
    weights["head.weight"][0, 0, 0, 0] = float("nan")
    save_file(weights, checkpoint / "model.safetensors")
    fails(5, "head.weight", checkpoint, tmp_path / "bundle")


def test_unknown_config_key(tmp_path, checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"colour": 1}))
    fails(5, "colour", checkpoint, tmp_path / "bundle")


def test_a_place_of_the_base_that_is_none(tmp_path, checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"base_path": [1]}))
    fails(5, "base_path", checkpoint, tmp_path / "bundle")


@pytest.mark.parametrize(
    ("change", "words"),
    [({"model_file": "own.py"}, "model_file"), ({"num_hidden_layers": 10**9}, "num_hidden_layers")],
)
def test_a_hostile_base_is_refused(tmp_path, checkpoint, base, change, words):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text(json.dumps(json.loads((base / "config.json").read_text()) | change))
    fails(5, words, checkpoint, tmp_path / "bundle", "--base", tmp_path / "base")


@pytest.mark.parametrize("change", [{"num_blocks": 10**9}, {"latent_size": 10**12}, {"rank": "four"}])
def test_config_that_would_exhaust_the_machine(tmp_path, checkpoint, change):
    config = json.loads((checkpoint / "config.json").read_text())
    config["hypernet"] |= change
    (checkpoint / "config.json").write_text(json.dumps(config))
    fails(5, str(next(iter(change.values()))), checkpoint, tmp_path / "bundle")


def test_other_base(tmp_path, checkpoint):
    from transformers import Ministral3Config, Ministral3ForCausalLM

    config = Ministral3Config(**tiny.BASE | {"num_hidden_layers": 2})
    Ministral3ForCausalLM(config).save_pretrained(tmp_path / "base")
    fails(5, "2 layers", checkpoint, tmp_path / "bundle", "--base", tmp_path / "base")
    fails(5, "does not exist", checkpoint, tmp_path / "bundle", "--base", tmp_path / "nowhere")
    fails(5, "is a training checkpoint", checkpoint, tmp_path / "bundle", "--base", checkpoint)


@pytest.mark.parametrize(
    ("dtype", "storage"),
    [
        (["--dtype", "float32"], "EXACT"),
        (["--dtype", "bfloat16"], "bfloat16"),
        (["--dtype", "float16"], "float16"),
        (["--q-bits", "8"], "8 bits"),
        (["--q-bits", "4"], "4 bits"),
    ],
)
def test_a_wrong_weight_is_noticed_and_nothing_is_left(tmp_path, checkpoint, monkeypatch, dtype, storage):
    """The bundle gets one matrix of another seed: every tolerance is narrow enough to see it."""
    from convert.checkpoint import SafetensorsWeights

    def arrays(self):
        for name, weight in read(self):
            wrong = name == "decoder.blocks.0.mlp.up_proj.weight"
            yield name, mx.random.normal(weight.shape, scale=0.1, key=mx.random.key(1)) if wrong else weight

    read = SafetensorsWeights.arrays
    monkeypatch.setattr(SafetensorsWeights, "arrays", arrays)
    fails(1, "torch and MLX disagree (latents by", checkpoint, tmp_path / "bundle", *dtype)


def test_weights_too_large_for_the_dtype(tmp_path, checkpoint):
    weights = load_file(checkpoint / "model.safetensors")
    weights["encoder.norm.weight"] += 1e6
    save_file(weights, checkpoint / "model.safetensors")
    fails(1, "--dtype", checkpoint, tmp_path / "bundle", "--dtype", "float16", "--verify", 0)


def test_interrupt_leaves_nothing(tmp_path, checkpoint, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("convert.conversion.compare", interrupted)
    fails(130, "interrupted", checkpoint, tmp_path / "bundle")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with room for 200 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_disk_that_fills_up(checkpoint, small_disk):
    assert (checkpoint / "model.safetensors").stat().st_size > 200_000
    fails(6, "No space left", checkpoint, small_disk / "bundle", "--verify", 0)


def test_existing_destination(tmp_path, checkpoint):
    converts(checkpoint, tmp_path / "bundle", "--verify", 0)
    before = (tmp_path / "bundle" / "model.safetensors").stat().st_mtime_ns
    fails(1, "--force", checkpoint, tmp_path / "bundle")
    converts(checkpoint, tmp_path / "bundle", "--verify", 0, "--force")
    assert (tmp_path / "bundle" / "model.safetensors").stat().st_mtime_ns > before
    (tmp_path / "mine").mkdir()
    fails(1, "not a result of this command", checkpoint, tmp_path / "mine", "--force")


def test_destination_and_source_overlap(tmp_path, checkpoint):
    fails(1, "--force", checkpoint, checkpoint)
    fails(1, "not a result of this command", checkpoint, checkpoint, "--force")
    fails(1, "one inside the other", checkpoint, checkpoint / "bundle")
    converts(checkpoint, tmp_path / "bundle", "--verify", 0)
    (tmp_path / "bundle" / "run").mkdir()
    inside = tmp_path / "bundle" / "run" / "step-7"
    checkpoint.rename(inside)
    fails(1, "one inside the other", inside, tmp_path / "bundle", "--force")


def test_usage(tmp_path, checkpoint):
    bundle = tmp_path / "bundle"
    assert run(checkpoint).exit_code == 2
    for wrong in (["--dtype", "int8"], ["--q-bits", "5"], ["--verify", "-1"], ["--prefix-ids", "a"]):
        assert run(checkpoint, bundle, *wrong).exit_code == 2
    fails(2, "for base models", checkpoint, bundle, "--q-bits", 6)
    fails(2, "for base models", checkpoint, bundle, "--q-bits", 8, "--down-proj-bits", 8)
