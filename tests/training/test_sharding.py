"""Two processes that share hypernetwork and optimiser (FSDP2 over gloo) are one process, and each holds half."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from mlx_hypernet.format.config import HypernetConfig
from tests.training import tiny_run
from torch_train.training.settings import read_settings

ROOT = Path(__file__).parents[2]
SHARDED = ("run.sharding=fsdp", "optimizer.accumulation=1")


def _train(config: Path, processes: int, *arguments: str) -> str:
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(several if processes > 1 else []), "-m", "torch_train", str(config), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _same(one: Path, other: Path) -> None:
    for name, weight in tiny_run.weights(one / "run", 4).items():
        torch.testing.assert_close(tiny_run.weights(other / "run", 4)[name], weight, atol=1e-5, rtol=0)
    assert tiny_run.losses(other / "run") == pytest.approx(tiny_run.losses(one / "run"), abs=1e-5)


@pytest.mark.slow
def test_two_processes_are_one_and_either_resumes_the_others_run(pair: tuple[Path, Path], tmp_path: Path) -> None:
    one, two, alone, together = (tmp_path / name for name in ("one", "two", "alone", "together"))
    configs = {folder: tiny_run.config_file(folder, *pair) for folder in (one, two, alone, together)}
    _train(configs[one], 1, "optimizer.steps=4")
    _train(configs[two], 2, "optimizer.steps=4", *SHARDED)
    _same(one, two)
    for begun, resumed in ((two, alone), (one, together)):  # a checkpoint of one number of processes, read by another
        shutil.copytree(begun / "run", resumed / "run")
        shutil.rmtree(resumed / "run" / "step-00000004")
    _train(configs[alone], 1, "optimizer.steps=4")
    _train(configs[together], 2, "optimizer.steps=4", *SHARDED)
    _same(one, alone)
    _same(one, together)


@pytest.mark.slow
def test_the_state_halves_and_the_dry_run_says_so(pair: tuple[Path, Path], tmp_path: Path) -> None:
    told = []
    for name, processes, settings in (("one", 1, ()), ("two", 2, SHARDED)):
        out = _train(tiny_run.config_file(tmp_path / name, *pair), processes, "--dry-run", *settings)
        told.append(int(re.search(r"state: ([\d,]+) bytes", out)[1].replace(",", "")))
    assert 0.49 < told[1] / told[0] < 0.55  # the smallest parameters cannot be halved


def test_the_estimate_falls_with_the_number_of_processes(tmp_path: Path) -> None:
    from torch_train.training.memory import memory_by_part

    path = tiny_run.config_file(tmp_path, tmp_path, tmp_path)
    config = HypernetConfig(3, 32, {"down_proj": (48, 32)}, 3, 5.0, 16, 4, 2, 4, 2, 8)
    counts = {"encoder": 1000, "head": 3000}

    def held(processes: int, *overrides: str) -> dict[str, int]:
        settings = read_settings(path, list(overrides))
        return dict(
            memory_by_part(
                settings, config, nn.ModuleDict({"model": nn.ModuleDict()}), counts, processes, recompute=True
            )
        )

    one, whole, shared = held(1), held(4), held(4, "run.sharding=fsdp")
    assert whole == one
    assert shared["hypernetwork, fp32, 1/4"] == one["hypernetwork, fp32"] // 4
    assert shared["parts gathered while they run, two at most, fp32"] == 2 * 3000 * 4


@pytest.mark.parametrize(("setting", "few", "many"), [("auto", True, False), ("on", True, True), ("off", False, False)])
def test_recomputation_follows_the_free_memory(tmp_path: Path, setting: str, few: bool, many: bool) -> None:
    from transformers import AutoConfig

    from torch_train.training.memory import recomputes
    from torch_train.training.shape import meta_base

    base = meta_base(AutoConfig.for_model("ministral3", vocab_size=96, **tiny_run.SIZES))
    settings = read_settings(tiny_run.config_file(tmp_path, tmp_path, tmp_path), [f"run.recompute={setting}"])
    config = HypernetConfig(3, 32, {"down_proj": (48, 32)}, 3, 5.0, 16, 4, 2, 4, 2, 8)
    # 160 tokens of 3 layers take 3.3 MB, most of it inside the blocks.
    assert [recomputes(settings, config, base, 10_000, free) for free in (10**6, 10**7)] == [few, many]
