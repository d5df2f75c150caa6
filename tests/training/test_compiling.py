"""`run.compile: auto`: long runs on CPUs with a C++ compiler."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import torch

from torch_train.first_hour.ministral import CONFIG
from torch_train.training.compiling import compiles
from torch_train.training.settings import read_settings

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_auto_needs_a_long_run_a_cpu_and_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_settings(CONFIG, ["run.compile=auto", "optimizer.steps=1000"])
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert compiles(settings, CPU)
    assert not compiles(settings, CUDA)
    assert not compiles(replace(settings, optimizer=replace(settings.optimizer, steps=999)), CPU)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert not compiles(settings, CPU)


def test_on_and_off_are_what_they_say() -> None:
    for value, expected in (("on", True), ("true", True), ("off", False)):
        assert compiles(read_settings(CONFIG, [f"run.compile={value}"]), CUDA) is expected
