"""A checkpoint between two: its weights, and what is no pair of checkpoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests import tiny
from torch_train.errors import TrainingError
from torch_train.training import checkpoint
from torch_train.training.average import average, main


def two(folder: Path) -> tuple[Path, Path]:
    one, other = (tiny.save_checkpoint(folder / name, None) for name in ("one", "other"))
    weights = load_file(other / checkpoint.MODEL)
    save_file({name: value + 1.0 for name, value in weights.items()}, other / checkpoint.MODEL)
    return one, other


def test_weights_lie_between(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    main([str(one), str(other), str(tmp_path / "mean"), "--share", "0.25"])
    first, mean = (load_file(folder / checkpoint.MODEL) for folder in (one, tmp_path / "mean"))
    for name, value in first.items():
        torch.testing.assert_close(mean[name], value + 0.25)
    assert checkpoint.load_base_record(tmp_path / "mean") == checkpoint.load_base_record(other)
    checkpoint.load_hypernet(tmp_path / "mean")


def test_two_that_are_not_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, _ = two(tmp_path)
    early = tiny.save_checkpoint(tmp_path / "early", None, replace(tiny.HYPERNET, exit_layer=1))
    with pytest.raises(TrainingError, match="exit_layer"):
        average(one, early, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
    with pytest.raises(SystemExit) as ended:
        main([str(one), str(one), str(early)])
    assert ended.value.code == 1
    assert f"{early} exists: name another folder" in capsys.readouterr().err
