"""Runs by the clock: when they end, how the learning rate falls, and where they resume."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.training import tiny_run
from torch_train.__main__ import main
from torch_train.training import checkpoint, progress
from torch_train.training.journal import read_log
from torch_train.training.optimizer import learning_rate
from torch_train.training.progress import Progress
from torch_train.training.settings import OptimizerSettings

pytestmark = pytest.mark.usefixtures("no_curves")
BY_CLOCK = ["optimizer.steps=1000", "run.minutes=1", "run.save_every=1", "optimizer.final_learning_rate=0.0"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that is two seconds later whenever it is asked."""
    ticks = count(0, 2)
    fake = SimpleNamespace(monotonic=lambda: float(next(ticks)))
    monkeypatch.setattr(progress, "time", fake)
    return fake


def test_by_steps_the_clock_does_not_matter(clock: SimpleNamespace) -> None:
    done = Progress(steps=4, minutes=None, before=0.9)
    assert [done.share(step) for step in range(6)] == [0, 0.25, 0.5, 0.75, 1, 1]
    assert [done.over(step) for step in (3, 4)] == [False, True]
    assert done.scheduled(2) is None


def test_by_the_clock_what_is_left_takes_the_minutes(clock: SimpleNamespace) -> None:
    done = Progress(steps=1000, minutes=0.5, before=0.4)
    assert done.share(0) == pytest.approx(0.4 + 0.6 * 2 / 30)
    for _ in range(13):
        assert not done.over(1)
    assert done.over(1)
    assert Progress(steps=3, minutes=1e9).over(3)  # steps bound a run by the clock too


def test_the_rate_follows_the_share() -> None:
    settings = OptimizerSettings(steps=1000, learning_rate=2.0, final_learning_rate=0.0, warmup=10)
    assert learning_rate(settings, 4, done=0.9) == pytest.approx(1.0)  # still warming up
    assert [learning_rate(settings, 20, done) for done in (0.0, 0.5, 1.0)] == pytest.approx([2, 1, 0])


def test_a_run_ends_on_time_and_stays_ended(pair: tuple[Path, Path], tmp_path: Path, clock: SimpleNamespace) -> None:
    config = str(tiny_run.config_file(tmp_path, *pair))
    assert main([config, *BY_CLOCK]) == 0
    last = checkpoint.checkpoints(tmp_path / "run")[-1]
    step = json.loads((last / "trainer.json").read_text())["step"]
    assert 3 < step < 30
    rates = [entry["learning rate"] for entry in read_log(tmp_path / "run")]
    assert rates[-1] < 0.15 * max(rates)
    assert checkpoint.load_trainer(last).progress == 1
    assert main([config, *BY_CLOCK]) == 0
    assert checkpoint.checkpoints(tmp_path / "run")[-1] == last


def test_a_stopped_run_has_the_rest_of_its_schedule(
    pair: tuple[Path, Path], tmp_path: Path, clock: SimpleNamespace
) -> None:
    config = str(tiny_run.config_file(tmp_path, *pair))
    assert main([config, *BY_CLOCK, "run.keep=100"]) == 0
    folder = tmp_path / "run"
    early = checkpoint.checkpoints(folder)[2]
    for later in checkpoint.checkpoints(folder)[3:]:
        checkpoint.remove_folder(later)
    before = checkpoint.load_trainer(early).progress
    assert 0 < before < 1
    assert main([config, *BY_CLOCK, "run.minutes=0.5"]) == 0  # other minutes than before: a second, shorter lease
    state = checkpoint.load_trainer(checkpoint.checkpoints(folder)[-1])
    assert (state.step > 3, state.progress) == (True, 1)
