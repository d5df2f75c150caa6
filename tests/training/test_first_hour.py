"""The first hour's parts: what it says of a machine, whether it notices a device that computes wrongly, its page."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
import torch

from torch_train.first_hour import agreement, environment
from torch_train.first_hour.page import page
from torch_train.training.distillation import DistillationModel
from torch_train.training.packing import PackedBatch


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(environment, "find_spec", lambda name: None if name in ("accelerate", "faker") else find(name))
    with pytest.raises(SystemExit) as stopped:
        environment.main(["--device", "cpu"])
    assert stopped.value.code == 1
    said = capsys.readouterr()
    assert "missing: accelerate" in said.out
    assert "Faker (English notes)" in said.out
    assert "carry: accelerate" in said.err


def test_the_environment_names_versions_and_device() -> None:
    found = environment.environment("cpu")
    assert found["missing"] == []
    assert found["versions"]["torch"] == torch.__version__
    assert found["device"].startswith("cpu")
    assert any(f"torch {torch.__version__}" in line for line in environment.told(found))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sixteenth of Ministral would have no head of keys: an eighth, with short batches."""
    monkeypatch.setattr(agreement, "_TOKENS", 64)


@pytest.mark.slow
def test_a_device_that_computes_wrongly_is_noticed(tiny: None, monkeypatch: pytest.MonkeyPatch) -> None:
    host = torch.device("cpu")
    found = agreement.agreement(host)
    assert found["agrees"]
    exact, half = found["ways"].values()
    assert max(exact.values()) <= found["bound"]
    assert found["bound"] < half["gradient, all"] < 0.2  # bf16 rounds, and is no other model
    measured = agreement._measured

    def wrong(model: DistillationModel, batch: PackedBatch) -> Any:
        loss, gradients = measured(model, batch)
        if model.recompute:  # on the device: one part's gradient is off by a hundredth
            gradients = [1.01 * gradient for gradient in gradients]
        return loss, gradients

    monkeypatch.setattr(agreement, "_measured", wrong)
    assert not agreement.agreement(host)["agrees"]


def test_the_page_has_what_is_there_so_far() -> None:
    numbers: dict[str, Any] = {"command": "runs/first_hour.sh --minutes 10", "date": "2026-11-29", "seconds": {}}
    assert "## " not in page(numbers)
    numbers["agreement"] = {
        "agrees": False,
        "bound": 1e-3,
        "ways": {"cuda, fp32": {"loss": 0.5, "gradient, worst part: head": 0.25}},
    }
    numbers["speed"] = {
        "divisor": 1,
        "peak (TFLOP/s)": 780.0,
        "sizes": {
            "2048": {"seconds": 0.5, "tokens a second": 8000.0, "TFLOP": 100.0, "utilisation": 0.256},
            "8192": {"out of memory": True},
        },
        "profile": {"aten::mm": 0.75},
    }
    told = page(numbers)
    assert "does NOT agree" in told
    assert "| cuda, fp32 | 0.25 (head) | 0.5 |" in told
    assert "| 2048 | 0.5 | 8,000 | 100 | 25.6% |" in told
    assert "| 8192 | out of memory |" in told
    assert "| `aten::mm` | 75.0% |" in told
