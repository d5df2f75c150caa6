"""Runs that end early: killed, told to stop by SIGTERM, in one process or two; and that they resume."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.training import tiny_run
from torch_train.__main__ import main
from torch_train.training import checkpoint, journal
from torch_train.training.journal import read_log

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("no_curves")


# With OpenBLAS loaded first, as in the tests' own process: another BLAS rounds otherwise, and Adam makes that visible.
_COMMAND = """
import sys
from mlx_hypernet.blas import preload_blas
preload_blas()
from torch_train.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def _start(config: Path, *overrides: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _COMMAND, str(config), *overrides]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, env={**os.environ, **(environment or {})}
    )


def _until(process: subprocess.Popen[str], step: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"step {step} "):
            return
    raise AssertionError(process.communicate()[1])


def test_killed_at_step_5(
    pair: tuple[Path, Path], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kill leaves is what is on the disk at that moment; processes are killed in the slow tests."""
    config = tiny_run.config_file(tmp_path, *pair)
    run, left = tmp_path / "run", tmp_path / "left"

    def line(text: str, **_: object) -> None:
        if text.startswith("step 5 "):
            shutil.copytree(run, left)

    with monkeypatch.context() as watched:
        watched.setattr(journal, "print", line, raising=False)
        assert main([str(config)]) == 0
    assert [path.name for path in checkpoint.checkpoints(left)] == ["step-00000002", "step-00000004"]
    shutil.rmtree(run)
    left.rename(run)
    assert main([str(config)]) == 0
    tiny_run.assert_same(whole, run)


@pytest.mark.slow
def test_killed_at_random_moments(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Five kills anywhere after the first step, within a checkpoint being written too, then the rest of the run."""
    longer = ("optimizer.steps=60", "run.save_every=2")
    for name in ("whole", "killed"):
        tiny_run.config_file(tmp_path / name, *pair)
    whole = _start(tmp_path / "whole" / "config.yaml", *longer)
    assert whole.wait() == 0
    draw, config = random.Random(), tmp_path / "killed" / "config.yaml"
    for _ in range(5):
        process = _start(config, *longer)
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("step "))
        time.sleep(draw.random() * 0.5)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        print(f"killed; the last checkpoint is {checkpoint.checkpoints(tmp_path / 'killed' / 'run')[-1:]}")
    last = _start(config, *longer)
    assert last.wait() == 0
    expected, found = (tiny_run.weights(tmp_path / name / "run", 60) for name in ("whole", "killed"))
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, atol=1e-6, rtol=0)


def test_sigterm_saves_and_ends_the_run(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def line(text: str, **_: object) -> None:
        if text.startswith("step 3 "):
            assert signal.getsignal(signal.SIGTERM) != before
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(journal, "print", line, raising=False)
    config = tiny_run.config_file(tmp_path, *pair)
    assert main([str(config), "run.save_every=1000", "optimizer.steps=100000"]) == 0
    assert signal.getsignal(signal.SIGTERM) == before
    (saved,) = checkpoint.checkpoints(tmp_path / "run")
    assert checkpoint.load_trainer(saved).step == read_log(tmp_path / "run")[-1]["step"] >= 3


@pytest.mark.slow
def test_sigterm_saves_and_exits_0(pair: tuple[Path, Path], tmp_path: Path) -> None:
    config = tiny_run.config_file(tmp_path, *pair)
    process = _start(config, "run.save_every=1000", "optimizer.steps=100000")
    _until(process, 3)
    process.terminate()
    _, err = process.communicate()
    assert process.returncode == 0, err
    (saved,) = checkpoint.checkpoints(tmp_path / "run")
    state = checkpoint.load_trainer(saved)
    assert state.step >= 3
    assert read_log(tmp_path / "run")[-1]["step"] == state.step


@pytest.mark.slow
def test_sigterm_to_one_of_two_processes(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Both save. The one that was not told fails, so that torchrun starts it anew, to wait for the other."""
    config = tiny_run.config_file(tmp_path, *pair)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    both = [
        _start(
            config,
            "optimizer.steps=100000",
            "run.save_every=1000",
            environment={
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": "2",
                "MASTER_ADDR": "localhost",
                "MASTER_PORT": str(port),
            },
        )
        for rank in range(2)
    ]
    _until(both[0], 3)
    both[1].terminate()
    told = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [1, 0], told
    (saved,) = checkpoint.checkpoints(tmp_path / "run")
    step = checkpoint.load_trainer(saved).step
    assert (
        told[0].splitlines()[-1]
        == f"another process was stopped; step {step} is saved, and the same command resumes from it"
    )


@pytest.mark.slow
def test_two_processes_are_one_with_double_accumulation(pair: tuple[Path, Path], tmp_path: Path) -> None:
    one = tiny_run.config_file(tmp_path / "one", *pair)
    two = tiny_run.config_file(tmp_path / "two", *pair)
    run = ["-m", "torch_train"]
    alone = [sys.executable, *run, str(one), "optimizer.steps=4"]
    both = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *run, str(two)]
    for command in (alone, [*both, "optimizer.steps=4", "optimizer.accumulation=1"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    losses = [tiny_run.losses(tmp_path / name / "run") for name in ("one", "two")]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
    for name, weight in tiny_run.weights(tmp_path / "one" / "run", 4).items():
        torch.testing.assert_close(tiny_run.weights(tmp_path / "two" / "run", 4)[name], weight, atol=1e-5, rtol=0)
