"""`python -m torch_train.nano` from nothing to a pair that `convert-weights` takes, a few steps a stage."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from tests.conversion.command import converts
from torch_train.nano import __main__ as recipe
from torch_train.nano import base, curves, pool, run, teacher, tokenizer
from torch_train.nano.run import LoopSettings
from torch_train.training import checkpoint

FEW = LoopSettings(steps=2, batch=3, learning_rate=1e-3)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words_folder: Path) -> None:
    """A base of 32 columns, a small hypernetwork, two steps a stage, notes of two facts, a tokenizer of few notes."""
    config = base.config()
    config.hidden_size, config.intermediate_size, config.num_hidden_layers = 32, 48, 2
    monkeypatch.setattr(base, "config", lambda: config)
    monkeypatch.setattr(tokenizer, "train", lambda folder, *_, **__: shutil.copytree(words_folder, folder))
    for stage in ("BASE", "JOINT"):
        monkeypatch.setattr(recipe, stage, FEW)
    monkeypatch.setattr(recipe, "FIRST", tuple(replace(lesson, shards=1) for lesson in recipe.FIRST))
    monkeypatch.setattr(recipe, "NOTES", replace(recipe.NOTES, shards=1, facts=2))
    monkeypatch.setattr(recipe, "LAST", tuple(replace(lesson, shards=1, facts=2) for lesson in recipe.LAST[-2:]))
    monkeypatch.setattr(run, "LOG_EVERY", 1)
    monkeypatch.setattr(pool, "MOST_FACTS", 2)
    monkeypatch.setattr(teacher, "BATCH", 2)
    for path in recipe.CONFIGS.glob("nano-*.yaml"):
        lesson = yaml.safe_load(path.read_text())
        lesson["optimizer"] |= {"steps": 2, "warmup": 1}
        lesson["hypernet"] |= {"latent_size": 16, "num_latents": 4, "num_blocks": 1, "num_heads": 4, "head_dim": 8}
        lesson["packing"] |= {"context_tokens": 512, "input_tokens": 256}
        (tmp_path / path.name).write_text(yaml.safe_dump(lesson))
    monkeypatch.setattr(recipe, "CONFIGS", tmp_path)


pytestmark = pytest.mark.usefixtures("no_curves")  # those of single runs; the recipe's own are drawn


def _trained(run: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    (last,) = checkpoint.checkpoints(run)
    return last, checkpoint.load_weights(last)[1]


def test_from_nothing_to_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "nano"
    recipe.main([str(folder), "--device", "cpu"])
    few, last = _trained(folder / "few")[1], _trained(folder / "last")
    joint = checkpoint.load_weights(folder / "joint" / "hypernet")[1]
    for before, after in ((few, joint), (joint, last[1])):  # each starts from the one before
        moved = torch.cat([(after[name] - before[name]).abs().flatten() for name in after])
        assert 0 < moved.max() < 0.05
    assert (folder / "curves.png").stat().st_size > 1000
    recipe.main([str(folder), "--device", "cpu"])  # everything is there: nothing is trained again
    assert _trained(folder / "last")[0] == last[0]
    assert "logits" in converts(last[0], tmp_path / "bundle").output

    alone = tmp_path / "alone"
    monkeypatch.setattr(curves, "draw", lambda *_: None)
    monkeypatch.setattr(recipe, "FIRST", recipe.FIRST[:1])
    monkeypatch.setattr(recipe, "LAST", recipe.LAST[-1:])
    recipe.main([str(alone), "--device", "cpu", "--base", str(folder / "joint" / "base")])
    assert checkpoint.load_base_record(_trained(alone / "last")[0]).path == str(folder / "joint" / "base")
    with pytest.raises(SystemExit) as ended:  # other notes in the folder of these
        recipe.main([str(alone), "--device", "cpu", "--base", str(folder / "joint" / "base"), "--seed", "1"])
    assert ended.value.code == 1
    assert "was made from something else" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("command", [recipe.main, teacher.main])
def test_a_base_that_is_not_there(
    command: Callable[[list[str]], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command([str(tmp_path / "run"), "--base", str(tmp_path / "nothing")])
    assert ended.value.code == 1
    assert "nothing/config.json cannot be read" in capsys.readouterr().err.splitlines()[-1]
