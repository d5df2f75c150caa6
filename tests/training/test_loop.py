"""Whole runs at toy size: what they write, how they stop, and that they go on as if nothing had happened."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training import tiny_run
from torch_train.__main__ import main
from torch_train.data.storage import locked
from torch_train.errors import TrainingError
from torch_train.training import checkpoint, train
from torch_train.training.distillation import DistillationModel, Losses
from torch_train.training.journal import read_log
from torch_train.training.packing import PackedBatch
from torch_train.training.settings import default_values

pytestmark = pytest.mark.usefixtures("no_curves")


def test_first_tokens_count_as_much_as_asked(whole: Path, pair: tuple[Path, Path], tmp_path: Path) -> None:
    assert main([str(tiny_run.config_file(tmp_path, *pair)), "optimizer.decision=0.5"]) == 0
    log = read_log(tmp_path / "run")
    for entry in log:
        parts = entry["distillation"] + 0.5 * entry["decision"] + 0.1 * entry["magnitude"]
        assert entry["loss"] == pytest.approx(parts)
    # The same batches and the same weights at first, other weights in the end.
    assert log[0]["decision"] == pytest.approx(read_log(whole)[0]["decision"])
    assert log[-1]["distillation"] != pytest.approx(read_log(whole)[-1]["distillation"], rel=1e-6)


def test_a_run_leaves_checkpoints_log_and_card(whole: Path) -> None:
    steps = ["step-00000002", "step-00000004", "step-00000006"]
    assert [path.name for path in checkpoint.checkpoints(whole)] == steps
    log = read_log(whole)
    assert [entry["step"] for entry in log] == [1, 2, 3, 4, 5, 6]
    assert log[0]["loss"] == pytest.approx(log[0]["distillation"] + 0.1 * log[0]["magnitude"])
    card = (whole / "README.md").read_text()
    assert "| notes | 12 | its own |" in card
    assert "learning_rate: 0.003" in card
    assert any((whole / "tensorboard").iterdir())
    assert not list(whole.glob(".*"))


def test_checkpoints_are_those_that_convert_weights_reads(whole: Path) -> None:
    config = json.loads((whole / "step-00000006" / "config.json").read_text())
    keys = {"hypernet", "base", "base_path", "max_chunk_tokens", "prefix_ids", "suffix_ids", "step"}
    assert config.keys() == keys
    assert (config["prefix_ids"], config["suffix_ids"]) == ([1, 3], [4])
    assert config["max_chunk_tokens"] == 128
    hypernet, weights = checkpoint.load_weights(whole / "step-00000006")
    assert hypernet.scale == pytest.approx(2 * 3**1.5)
    assert all(weight.dtype == torch.float32 for weight in weights.values())


def test_resumed_is_uninterrupted(pair: tuple[Path, Path], whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    for step in (4, 6):
        shutil.rmtree(tmp_path / "run" / f"step-{step:08d}")
    config = tiny_run.config_file(tmp_path, *pair)
    assert main([str(config)]) == 0
    tiny_run.assert_same(whole, tmp_path / "run")
    again = (tmp_path / "run" / "log.jsonl").stat().st_mtime_ns
    assert main([str(config)]) == 0  # nothing is left to do
    assert tiny_run.losses(tmp_path / "run") == pytest.approx(tiny_run.losses(whole), abs=1e-6)
    assert (tmp_path / "run" / "log.jsonl").stat().st_mtime_ns >= again


def test_muon_resumes_as_well(pair: tuple[Path, Path], whole: Path, tmp_path: Path) -> None:
    a, b = (tiny_run.config_file(tmp_path / name, *pair) for name in "ab")
    assert main([str(a), "optimizer.kind=muon"]) == 0
    shutil.copytree(tmp_path / "a" / "run", tmp_path / "b" / "run")
    shutil.rmtree(tmp_path / "b" / "run" / "step-00000006")
    assert main([str(b), "optimizer.kind=muon"]) == 0
    tiny_run.assert_same(tmp_path / "a" / "run", tmp_path / "b" / "run")
    assert tiny_run.losses(tmp_path / "a" / "run")[-1] != pytest.approx(tiny_run.losses(whole)[-1])


def test_other_settings_are_refused(
    pair: tuple[Path, Path], whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole, tmp_path / "run")
    config = tiny_run.config_file(tmp_path, *pair)
    assert main([str(config), "optimizer.learning_rate=1", "run.seed=4", "optimizer.accumulation=1"]) == 1
    told = capsys.readouterr().err
    assert "optimizer.learning_rate 0.003 (now 1.0)" in told
    assert "run.seed 0 (now 4)" in told
    assert "run.batches per step 2 (now 1)" in told
    assert main([str(config), "hypernet.num_latents=5"]) == 1
    assert "another shape: num_latents 4 (here 5)" in capsys.readouterr().err


def test_a_loss_that_is_not_a_number(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_run.config_file(tmp_path, *pair)
    calls = []
    forward = DistillationModel.forward

    def breaks(self: DistillationModel, batch: PackedBatch, noise: torch.Generator | None = None) -> Losses:
        calls.append(1)
        losses = forward(self, batch, noise)
        return losses._replace(distillation=losses.distillation * float("nan")) if len(calls) == 8 else losses

    monkeypatch.setattr(DistillationModel, "forward", breaks)
    assert main([str(config)]) == 1
    told = capsys.readouterr().err
    assert "step 4 is not a number, from batch " in told
    assert "look at these rows" in told
    assert f"with hypernet.start: {tmp_path / 'run' / 'step-00000003'}" in told
    last = checkpoint.checkpoints(tmp_path / "run")[-1]
    assert last.name == "step-00000003"
    assert all(weight.isfinite().all() for weight in load_file(last / "model.safetensors").values())


def test_out_of_memory_names_what_to_lower(
    pair: tuple[Path, Path],
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(DistillationModel, "forward", full)
    config = str(tiny_run.config_file(tmp_path, *pair))
    for command in ([config], [config, "--dry-run"]):
        assert main(command) == 1
        (told,) = (line for line in capsys.readouterr().err.splitlines() if "memory" in line)
        assert told.startswith("out of memory: set run.recompute: on, ")
        assert told.endswith("lower packing.context_tokens (160), or packing.input_tokens (160)")

    shutil.copytree(whole, tmp_path / "run", dirs_exist_ok=True)
    monkeypatch.setattr(train, "load_base", full)
    assert main([config]) == 1
    goes_on = f"hypernet.start: {tmp_path / 'run' / 'step-00000006'} to start from there"
    assert capsys.readouterr().err.strip().endswith(goes_on)


def test_one_run_in_a_folder_at_a_time(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_run.config_file(tmp_path, *pair)
    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run"):
        assert main([str(config)]) == 1
        assert "another process writes to" in capsys.readouterr().err
    assert main([str(config)]) == 0


def test_a_full_disk_keeps_the_last_checkpoint_and_a_whole_run_leaves_curves(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save = checkpoint.save_file

    def full(tensors: dict[str, torch.Tensor], path: Path) -> None:
        if "00000004" in str(path):
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(tensors, path)

    monkeypatch.setattr(checkpoint, "save_file", full)
    assert main([str(tiny_run.config_file(tmp_path, *pair))]) == 1
    told = capsys.readouterr().err
    assert "No space left on device" in told
    assert "step-00000002 is complete" in told
    assert [path.name for path in checkpoint.checkpoints(tmp_path / "run")] == ["step-00000002"]
    assert not list((tmp_path / "run").glob(".*"))
    monkeypatch.undo()  # of `no_curves` too
    assert main([str(tmp_path / "config.yaml")]) == 0
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_old_checkpoints_and_what_a_kill_left_go(pair: tuple[Path, Path], tmp_path: Path) -> None:
    config = tiny_run.config_file(tmp_path, *pair)
    (tmp_path / "run" / ".partial-0-step-00000004").mkdir(parents=True)
    assert main([str(config), "run.save_every=1", "run.keep=2"]) == 0
    assert [path.name for path in checkpoint.checkpoints(tmp_path / "run")] == ["step-00000005", "step-00000006"]
    assert not list((tmp_path / "run").glob(".*"))


def test_damaged_checkpoints_are_told(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "step-00000006", tmp_path / "step")
    tensors = tmp_path / "step" / "trainer.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-100])
    with pytest.raises(TrainingError, match="remove it to resume from the one before"):
        checkpoint.load_trainer(tmp_path / "step")
    (tmp_path / "step" / "config.json").unlink()
    with pytest.raises(TrainingError, match=r"config\.json cannot be read"):
        checkpoint.load_weights(tmp_path / "step")


def test_stage_2_starts_from_stage_1(pair: tuple[Path, Path], whole: Path, tmp_path: Path) -> None:
    config = tiny_run.config_file(tmp_path, *pair)
    start = f"hypernet.start={whole / 'step-00000006'}"
    chunked = ["packing.chunks=random", "packing.min_chunk_tokens=5", "packing.max_chunk_tokens=20"]
    assert main([str(config), start, *chunked, "optimizer.steps=1", "optimizer.learning_rate=1e-30"]) == 0
    assert torch.equal(tiny_run.weights(tmp_path / "run", 1)["head.weight"], tiny_run.weights(whole)["head.weight"])


def test_held_out_contexts_are_measured_and_kept_apart(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, teacher = pair
    config = tiny_run.config_file(tmp_path, base, teacher)
    dev = tiny_run.save_teacher(tmp_path / "dev", base, seed=5, contexts=3)
    assert main([str(config), f"data.dev=[{dev}]", "run.measure_every=3"]) == 0
    measured = [entry["dev loss"] for entry in read_log(tmp_path / "run") if "dev loss" in entry]
    assert len(measured) == 2
    assert measured[1] < measured[0]
    assert main([str(config), f"data.dev=[{teacher}]", f"run.folder={tmp_path / 'other'}"]) == 1
    assert "12 contexts of data.dev are also in data.teacher" in capsys.readouterr().err


def test_dry_run_without_data(pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tiny_run.config_file(tmp_path, pair[0], tmp_path / "nothing")
    assert main([str(config), "--dry-run"]) == 0
    told = capsys.readouterr().out
    for part in (
        "parameters",
        "optimiser, two moments",
        "tokens per step: 640 = 1 processes x 2 batches",
        "time per step",
    ):
        assert part in told
    assert not (tmp_path / "run").exists()


def test_settings_that_may_change(whole: Path) -> None:
    settings = {"run": {"seed": 0}, "optimizer": {"betas": (0.9, 0.999)}}
    checkpoint.refuse_other_settings(json.loads(json.dumps(settings)), settings, {})


def test_settings_that_came_later_have_their_defaults() -> None:
    """A run that an earlier version began resumes, and still refuses what it did not do."""
    now = {"run": {"seed": 0}, "optimizer": {"l1": 0.1, "weight": "context"}}
    checkpoint.refuse_other_settings({"run": {"seed": 0}, "optimizer": {"l1": 0.1}}, now, default_values())
    now["optimizer"]["weight"] = "question"
    with pytest.raises(TrainingError, match=r"optimizer.weight context \(now question\)"):
        checkpoint.refuse_other_settings({"run": {"seed": 0}, "optimizer": {"l1": 0.1}}, now, default_values())
