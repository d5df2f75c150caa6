"""A killed run resumes, and its result is that of an uninterrupted one."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from torch_train.nano import base, pool, run
from torch_train.nano.curriculum import Curriculum
from torch_train.nano.run import LoopSettings
from torch_train.training.muon import orthogonalise

SETTINGS = LoopSettings(steps=2 * pool.POOL, batch=4, learning_rate=1e-3)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A base of 32 columns, saved after every pool of batches."""
    config = base.config()
    config.hidden_size, config.intermediate_size, config.num_hidden_layers = 32, 48, 2
    monkeypatch.setattr(base, "config", lambda: config)
    monkeypatch.setattr(run, "SAVE_EVERY", pool.POOL)
    monkeypatch.setattr(run, "LOG_EVERY", 4)


def test_resumed_is_uninterrupted(words: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = base.train(tmp_path / "whole", words, SETTINGS).state_dict()

    class Killed(Exception):
        pass

    record = run.Run.record

    def dies(self: run.Run, step: int, progress: float, **values: float) -> None:
        if step == pool.POOL + 3:  # three steps after the last save
            raise Killed
        record(self, step, progress, **values)

    monkeypatch.setattr(run.Run, "record", dies)
    with pytest.raises(Killed):
        base.train(tmp_path / "killed", words, SETTINGS)
    monkeypatch.setattr(run.Run, "record", record)
    resumed = base.train(tmp_path / "killed", words, SETTINGS).state_dict()
    for name, weight in whole.items():
        torch.testing.assert_close(resumed[name], weight, atol=1e-6, rtol=0)


def test_the_log_is_json_and_the_seed_counts(words: Tokenizer, tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=pool.POOL)
    first = base.train(tmp_path / "a", words, settings).state_dict()
    again = base.train(tmp_path / "b", words, settings).state_dict()
    other = base.train(tmp_path / "c", words, replace(settings, seed=1)).state_dict()
    name = "model.layers.0.mlp.down_proj.weight"
    assert torch.equal(first[name], again[name])
    assert not torch.equal(first[name], other[name])
    entries = [json.loads(line) for line in (tmp_path / "a" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [4, 8]
    assert all(entry["loss"] > 0 for entry in entries)


def test_a_loss_that_is_not_a_number_stops_the_run(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 2)
    halted = run.Run(tmp_path, model, run.optimizer(model, lambda name, _: name == "weight"), Curriculum(1, 2, 0.5, 9))
    with pytest.raises(FloatingPointError, match="loss is nan"):
        halted.descend(model.weight.sum() * float("nan"))


def test_curriculum_waits_for_the_model() -> None:
    curriculum = Curriculum(first=1, last=3, accuracy=0.7, until=10_000)
    for step in range(400):
        curriculum.observe(step, 0.5)
    assert curriculum.level == 1
    levels = []
    for step in range(400, 1000):
        curriculum.observe(step, 0.95)
        levels.append(curriculum.level)
    assert levels[-1] == 3
    assert all(after - before in (0, 1) for before, after in pairwise(levels))


def test_curriculum_stays_where_the_learning_rate_falls() -> None:
    curriculum = Curriculum(first=1, last=3, accuracy=0.7, until=8)
    levels = []
    for step in range(400):
        curriculum.observe(step, 1.0)
        levels.append(curriculum.level)
    assert set(levels) == {1}


def test_pools_fit_the_chunk_and_depend_on_seed_and_step_alone(words: Tokenizer) -> None:
    one, two = (pool.Pool(words, seed=5, batch=6) for _ in range(2))
    two.batch(11, facts=3)
    assert one.batch(3, facts=12) == two.batch(3, facts=12)
    assert all(len(item.document) <= pool.MAX_DOCUMENT for step in range(16) for item in one.batch(step, facts=12))


@pytest.mark.parametrize("shape", [(3, 16, 40), (2, 40, 16), (1, 24, 24)])
def test_orthogonalise(shape: tuple[int, ...]) -> None:
    update = orthogonalise(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    singular = torch.linalg.svdvals(update)
    assert update.shape == shape
    assert singular.min() > 0.3  # Newton-Schulz with these coefficients brings them near 1, not to it
    assert singular.max() < 1.3


def test_orthogonalise_multiplies_small_matrices_to_the_same_result() -> None:
    update = torch.randn(2, 12, 48, generator=torch.Generator().manual_seed(0))
    x = update / update.norm(dim=(-2, -1), keepdim=True)
    for _ in range(5):  # Newton-Schulz as it is published
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    torch.testing.assert_close(orthogonalise(update), x, atol=1e-5, rtol=1e-4)
