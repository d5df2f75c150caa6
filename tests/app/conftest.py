"""The command line of the tests: in this process for its text, as a process of its own for its exit."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from thoth.cli import app

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
