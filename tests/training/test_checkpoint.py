"""Checkpoints, bases and folders of shards that are not what the trainer needs: each is explained in one line."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests import tiny
from torch_train.data.shards import read_manifest
from torch_train.errors import DataError, TrainingError
from torch_train.model.base import load_base
from torch_train.training import checkpoint
from torch_train.training.journal import LOG, read_log
from torch_train.training.memory import free_bytes

EARLY = replace(tiny.HYPERNET, exit_layer=1)


@pytest.mark.parametrize(
    ("saved", "wanted", "told"),
    [(EARLY, tiny.HYPERNET, "exit_layer 1 .here None"), (tiny.HYPERNET, EARLY, "exit_layer None .here 1")],
)
def test_an_option_that_only_one_side_has_is_named(tmp_path: Path, saved, wanted, told: str) -> None:
    tiny.save_checkpoint(tmp_path / "run", None, saved)
    with pytest.raises(TrainingError, match=told):
        checkpoint.load_weights(tmp_path / "run", wanted)


def test_weights_of_another_shape_than_the_configuration(tmp_path: Path) -> None:
    folder = tiny.save_checkpoint(tmp_path / "run", None)
    save_file({"head.weight": torch.zeros(3)}, folder / "model.safetensors")
    with pytest.raises(TrainingError, match="weights that are not those of its configuration") as refused:
        checkpoint.load_hypernet(folder)
    assert "\n" not in str(refused.value)


def test_a_checkpoint_that_was_a_bundle(tmp_path: Path) -> None:
    """`convert-weights --to-torch` knows more of the base than the trainer, and not where it was."""
    folder = tiny.save_checkpoint(tmp_path / "run", None)
    config = json.loads((folder / "config.json").read_text())
    del config["base_path"]
    config["base"] |= {"repository": "owner/base", "fingerprint": "0123", "weight_sample": {"norm": "AAAA"}}
    (folder / "config.json").write_text(json.dumps(config))
    record = checkpoint.load_base_record(folder)
    assert (record.path, record.num_layers, record.prefix_ids) == ("owner/base", 3, (1, 3))
    config["base"]["repository"] = None
    (folder / "config.json").write_text(json.dumps(config))
    assert checkpoint.load_base_record(folder).path == ""


def test_a_base_without_all_its_weights(tmp_path: Path) -> None:
    folder = tiny.save_base(tmp_path / "base")
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.down_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError, match=r"lacks 1 weights, such as model.layers.1.mlp.down_proj.weight"):
        load_base(folder, "float32", torch.device("cpu"))


def test_free_memory_where_the_system_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {name: number for name, number in os.sysconf_names.items() if name != "SC_AVPHYS_PAGES"}  # as on macOS
    monkeypatch.setattr(os, "sysconf_names", names)
    assert free_bytes(torch.device("cpu")) == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("text", ["[1]", "5", "{}", '{"shards": "2"}', '{"shards": 2, "settings": []}', "[" * 100_000])
def test_a_damaged_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match="missing or damaged"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("step", "many"), ("stream", [1]), ("settings", None), ("settings", {"run": 1}), ("progress", None)],
)
def test_a_damaged_state_is_not_resumed_from(tmp_path: Path, key: str, value: object) -> None:
    state = {"step": 1, "stream": {"epoch": 0}, "settings": {"run": {"seed": 0}}, "progress": 0.5}
    save_file({"a": torch.zeros(1)}, tmp_path / checkpoint.TRAINER_TENSORS)
    (tmp_path / checkpoint.TRAINER).write_text(json.dumps(state))
    assert checkpoint.load_trainer(tmp_path).step == 1
    (tmp_path / checkpoint.TRAINER).write_text(json.dumps(state | {key: value}))
    with pytest.raises(TrainingError, match="remove it to resume from the one before"):
        checkpoint.load_trainer(tmp_path)


def test_a_configuration_without_a_hypernetwork(tmp_path: Path) -> None:
    (tmp_path / checkpoint.CONFIG).write_text('{"hypernet": null}')
    with pytest.raises(TrainingError, match="not a complete training checkpoint"):
        checkpoint.load_weights(tmp_path)


def test_a_log_that_a_crash_of_the_machine_damaged(tmp_path: Path) -> None:
    whole = [{"step": 1, "loss": 2.5}, {"step": 3, "loss": 2.0}]
    lines = [
        json.dumps(whole[0]).encode(),
        b'\0\0\0{"step": 2}',
        b'{"loss": 1}',
        b"\xff}",
        json.dumps(whole[1]).encode(),
    ]
    (tmp_path / LOG).write_bytes(b"\n".join(lines) + b'\n{"step": 4, "lo')
    assert read_log(tmp_path) == whole
