"""`python -m torch_train.nano` from nothing to a pair that `convert-weights` takes, a few steps a stage."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.conversion.command import converts
from torch_train import checkpoint
from torch_train.nano import __main__ as recipe
from torch_train.nano import base, pool, run, teacher, tokenizer
from torch_train.nano.run import Settings

FEW = Settings(steps=2, batch=3, learning_rate=1e-3)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A base of 32 columns, two steps a stage, notes of two facts."""
    config = base.config()
    config.hidden_size, config.intermediate_size, config.num_hidden_layers = 32, 48, 2
    monkeypatch.setattr(base, "config", lambda: config)
    monkeypatch.setattr(tokenizer, "train", partial(tokenizer.train, notes=600))
    for stage in ("BASE", "DISTIL", "JOINT", "WIDE"):
        monkeypatch.setattr(recipe, stage, replace(FEW))
    monkeypatch.setattr(run, "LOG_EVERY", 1)
    monkeypatch.setattr(recipe, "SHARDS", 1)
    monkeypatch.setattr(pool, "MOST_FACTS", 2)
    monkeypatch.setattr(teacher, "BATCH", 2)
    last = yaml.safe_load(recipe.LAST.read_text())
    last["optimizer"] |= {"steps": 2, "warmup": 1}
    last["packing"] |= {"context_tokens": 512, "input_tokens": 256}
    monkeypatch.setattr(recipe, "LAST", tmp_path / "last.yaml")
    recipe.LAST.write_text(yaml.safe_dump(last))


def test_from_nothing_to_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "nano"
    monkeypatch.setattr(sys, "argv", ["nano", str(folder), "--device", "cpu"])
    recipe.main()
    (last,) = checkpoint.checkpoints(folder / "last")
    config, weights = checkpoint.load_weights(last)
    assert (config.rank, config.num_latents) == (recipe.RANK, recipe.LATENTS)
    before = checkpoint.load_weights(folder / "wide" / "hypernet", config)[1]
    assert any((weights[name] != before[name]).any() for name in weights)
    assert (folder / "curves.png").stat().st_size > 1000
    recipe.main()  # everything is there: nothing is trained again
    assert checkpoint.checkpoints(folder / "last") == [last]
    assert "logits" in converts(last, tmp_path / "bundle").output
