"""Remedies name the interpreter that runs, whoever made its environment."""

import shlex
import sys
from importlib.machinery import PathFinder

import pytest

from mlx_hypernet.format import installing


def test_with_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/a b/python3")
    monkeypatch.setattr(PathFinder, "find_spec", lambda name: object())
    assert installing.command("ocrmac>=1") == "'/a b/python3' -m pip install 'ocrmac>=1'"
    assert installing.hub("download", "a/b") == "'/a b/python3' -m huggingface_hub.cli.hf download a/b"


def test_without_pip_uv_installs_for_this_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PathFinder, "find_spec", lambda name: None)
    said = installing.command(installing.TORCH)
    assert shlex.split(said) == ["uv", "pip", "install", "--python", sys.executable, "torch==2.13.0"]
