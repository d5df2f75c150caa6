"""There and back, what a checkpoint holds, and publishing."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.conversion import write_reference
from mlx_hypernet.format.config import HypernetConfig
from tests import tiny
from tests.conversion import gguf_files
from tests.conversion.command import converts, fails, run
from torch_train.model.hypernet import HyperNetwork
from torch_train.training.checkpoint import load_hypernet


@pytest.fixture
def checkpoint(tmp_path):
    """A training checkpoint that knows no base."""
    return tiny.save_checkpoint(tmp_path / "checkpoint", None)


@pytest.mark.parametrize("hypernet", tiny.VARIANTS)
def test_the_round_trip_is_exact(tmp_path, hypernet):
    checkpoint = tiny.save_checkpoint(tmp_path / "checkpoint", None, tiny.VARIANTS[hypernet])
    converts(checkpoint, tmp_path / "bundle", "--verify", 0)
    converts("--to-torch", tmp_path / "bundle", tmp_path / "back")
    before, after = (load_file(folder / "model.safetensors") for folder in (checkpoint, tmp_path / "back"))
    assert before.keys() == after.keys()
    assert all(before[name].dtype == after[name].dtype for name in before)
    assert all(before[name].numpy().tobytes() == after[name].numpy().tobytes() for name in before)
    old, new = (json.loads((folder / "config.json").read_text()) for folder in (checkpoint, tmp_path / "back"))
    old.pop("base_path")
    assert new == old
    HyperNetwork(HypernetConfig.from_dict(new["hypernet"])).load_state_dict(after)
    converts(tmp_path / "back", tmp_path / "again", "--verify", 0)
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("bundle", "again"))
    assert one == other


def test_16_bit_bundles_keep_their_bits(tmp_path, checkpoint):
    converts(checkpoint, tmp_path / "bundle", "--verify", 0, "--dtype", "bfloat16")
    converts("--to-torch", tmp_path / "bundle", tmp_path / "back")
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("bundle", "back"))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert after["head.weight"].dtype == torch.bfloat16


def test_a_quantised_bundle_goes_back_rounded(tmp_path):
    checkpoint = tiny.save_checkpoint(tmp_path / "checkpoint", None, replace(tiny.HYPERNET, latent_size=64))
    converts(checkpoint, tmp_path / "bundle", "--verify", 0, "--q-bits", 8)
    result = converts("--to-torch", tmp_path / "bundle", tmp_path / "back")
    assert "rounded" in result.stderr
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("checkpoint", "back"))
    assert {name: tensor.shape for name, tensor in before.items()} == {name: x.shape for name, x in after.items()}
    errors = {name: ((after[name] - before[name]).norm() / (before[name].norm() + 1e-9)).item() for name in before}
    assert max(errors.values()) < 0.01
    assert any(errors.values())
    load_hypernet(tmp_path / "back")  # a training starts from it


def test_what_cannot_go_back(tmp_path, checkpoint):
    converts(checkpoint, tmp_path / "bundle", "--verify", 0)
    fails(5, "takes a bundle", checkpoint, tmp_path / "back", "--to-torch")
    (tmp_path / "back").mkdir()
    fails(1, "exists", tmp_path / "bundle", tmp_path / "back", "--to-torch")


def test_inspect(tmp_path, checkpoint):
    converts(checkpoint, tmp_path / "bundle", "--verify", 0, "--q-bits", 8, "--dtype", "bfloat16")
    tiny.save_base(tmp_path / "base")
    weights = tiny.torch_hypernet(tiny.HYPERNET).state_dict()
    gguf_files.write(tmp_path / "file.gguf", "llama", "Q4_1")
    write_reference(tmp_path / "pytorch_model.bin", tiny.HYPERNET, weights, "google/gemma-2-2b-it")
    count = f"{sum(tensor.numel() for tensor in weights.values()):,}"
    for name, words in (
        ("checkpoint", ["training checkpoint", "rank 4", "step          7", count, "F32"]),
        ("bundle", ["bundle", "matrices at 8 bits", "U32", "up to 16 tokens between [1, 3] and [4]"]),
        ("base", ["base model", "ministral3", "hidden size 64", "model.layers"]),
        ("file.gguf", ["GGUF file", "llama, block count 2", "gpt2 smollm", "1,253,376", "Q4_1 1,252,096, F32 1,280"]),
    ):
        result = run("--inspect", tmp_path / name)
        assert result.exit_code == 0, result.output
        assert all(word in result.stdout for word in words), result.stdout
    fails(5, "do not match", tmp_path / "pytorch_model.bin", tmp_path / "x", "--inspect")  # other heads than theirs
    assert run("--inspect", tmp_path / "nowhere").exit_code == 5


class FakeApi:
    """The hub's part in `convert.push`."""

    calls: list

    def create_repo(self, repository, private, exist_ok):
        self.calls.append(("create", repository, private, exist_ok))
        return f"https://hub/{repository}"

    def upload_folder(self, repo_id, folder_path, commit_message):
        self.calls.append(("upload", repo_id, sorted(path.name for path in folder_path.iterdir())))


def test_push(tmp_path, checkpoint, monkeypatch):
    FakeApi.calls = []
    monkeypatch.setattr("huggingface_hub.HfApi", FakeApi)
    result = converts(checkpoint, tmp_path / "bundle", "--push", "me/mine")
    assert "https://hub/me/mine" in result.stdout
    assert FakeApi.calls == [
        ("create", "me/mine", True, True),
        ("upload", "me/mine", ["README.md", "config.json", "conversion.json", "model.safetensors"]),
    ]
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert "rank 4" in card
    assert "| latents |" in card
    assert "licence" in card


def test_a_push_that_fails_leaves_the_bundle(tmp_path, checkpoint, monkeypatch):
    def refuse(*arguments, **options):
        raise ConnectionError("no route to host")

    FakeApi.calls = []
    monkeypatch.setattr("huggingface_hub.HfApi", FakeApi)
    monkeypatch.setattr(FakeApi, "upload_folder", refuse)
    result = run(checkpoint, tmp_path / "bundle", "--verify", 0, "--push", "me/mine")
    assert result.exit_code == 1
    assert "no route to host" in result.stderr.splitlines()[-1]
    assert (tmp_path / "bundle" / "model.safetensors").is_file()
