"""`convert-weights`: the bundle appears complete and proven, or not at all."""

import json

import mlx.core as mx
import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from convert.cli import app
from mlx_hypernet.base import fingerprint
from mlx_hypernet.bundle import load_bundle
from tests import tiny


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A tiny random base."""
    return tiny.save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def checkpoint(tmp_path):
    """A training checkpoint that knows no base."""
    return tiny.save_checkpoint(tmp_path / "checkpoint", None)


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def fails(code, words, *arguments):
    """The command ends with `code`, says `words` on one line of stderr, and leaves nothing behind."""
    destination = arguments[1]
    before = sorted(destination.parent.iterdir())
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert words in result.stderr.splitlines()[1], result.stderr
    assert len(result.stderr.splitlines()) == 2  # what is being done, and what went wrong
    assert result.stdout == ""
    assert sorted(destination.parent.iterdir()) == before


@pytest.mark.parametrize("hypernet", ["plain", "three modules", "two shared MLPs"])
def test_fp32_with_logits(tmp_path, base, hypernet):
    checkpoint = tiny.save_checkpoint(tmp_path / "checkpoint", base, tiny.VARIANTS[hypernet])
    result = run(checkpoint, tmp_path / "bundle")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "bundle" / "conversion.json").read_text())
    rows = {row["tensor"]: row for row in report["parity"]["differences"]}
    assert set(rows) == {"A", "B", "logits"}
    assert all(row["max_absolute"] < 1e-4 for row in rows.values())
    assert "logits" in result.stdout
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.config.base.fingerprint == fingerprint(tiny.load_base(base))
    assert bundle.config.source["step"] == 7
    for name, weight in load_file(checkpoint / "model.safetensors").items():
        parts = name.split(".")
        ours = bundle.hypernet.parameters()
        for part in parts:
            ours = ours[int(part)] if isinstance(ours, list) else ours[part]
        assert mx.array_equal(ours, mx.array(weight.numpy()))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit(tmp_path, checkpoint, base, dtype):
    result = run(checkpoint, tmp_path / "bundle", "--base", base, "--dtype", dtype)
    assert result.exit_code == 0, result.output
    assert load_bundle(tmp_path / "bundle").hypernet.head.weight.dtype == getattr(mx, dtype)


def test_without_a_base_logits_are_left_out(tmp_path, checkpoint):
    result = run(checkpoint, tmp_path / "bundle")
    assert result.exit_code == 0, result.output
    assert "no base given" in result.stdout


def test_no_verify_needs_no_torch(tmp_path, checkpoint, monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] in ("torch", "torch_train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run(checkpoint, tmp_path / "bundle", "--no-verify").exit_code == 0
    fails(1, "--no-verify", checkpoint, tmp_path / "another")


def test_missing_checkpoint(tmp_path):
    fails(5, "is not a training checkpoint", tmp_path / "nowhere", tmp_path / "bundle")


def test_truncated_weights(tmp_path, checkpoint):
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    fails(5, "damaged", checkpoint, tmp_path / "bundle")


def test_unknown_and_missing_weights(tmp_path, checkpoint):
    weights = load_file(checkpoint / "model.safetensors")
    weights["tail.weight"] = weights.pop("head.weight")
    save_file(weights, checkpoint / "model.safetensors")
    fails(5, "missing head.weight; unknown tail.weight", checkpoint, tmp_path / "bundle")


def test_unknown_config_key(tmp_path, checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"colour": 1}))
    fails(5, "colour", checkpoint, tmp_path / "bundle")


def test_other_base(tmp_path, checkpoint):
    from transformers import Ministral3Config, Ministral3ForCausalLM

    config = Ministral3Config(**tiny.BASE | {"num_hidden_layers": 2})
    Ministral3ForCausalLM(config).save_pretrained(tmp_path / "base")
    fails(5, "2 layers", checkpoint, tmp_path / "bundle", "--base", tmp_path / "base")
    fails(5, "not a folder", checkpoint, tmp_path / "bundle", "--base", tmp_path / "nowhere")


def test_disagreement_leaves_nothing(tmp_path, checkpoint, monkeypatch):
    monkeypatch.setattr("convert.parity.MAX_ABSOLUTE", 0.0)
    fails(1, "torch and MLX disagree (A by", checkpoint, tmp_path / "bundle")


def test_weights_too_large_for_the_dtype(tmp_path, checkpoint):
    weights = load_file(checkpoint / "model.safetensors")
    weights["encoder.norm.weight"] += 1e6
    save_file(weights, checkpoint / "model.safetensors")
    fails(1, "--dtype", checkpoint, tmp_path / "bundle", "--dtype", "float16", "--no-verify")


def test_interrupt_leaves_nothing(tmp_path, checkpoint, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("convert.conversion.compare", interrupted)
    fails(130, "interrupted", checkpoint, tmp_path / "bundle")


def test_existing_destination(tmp_path, checkpoint):
    assert run(checkpoint, tmp_path / "bundle", "--no-verify").exit_code == 0
    fails(1, "--force", checkpoint, tmp_path / "bundle")
    assert run(checkpoint, tmp_path / "bundle", "--no-verify", "--force").exit_code == 0
    (tmp_path / "mine").mkdir()
    fails(1, "not a bundle", checkpoint, tmp_path / "mine", "--force")
    fails(1, "not a bundle", checkpoint, checkpoint, "--force")


def test_usage(tmp_path, checkpoint):
    assert run(checkpoint).exit_code == 2
    assert run(checkpoint, tmp_path / "bundle", "--dtype", "int8").exit_code == 2
