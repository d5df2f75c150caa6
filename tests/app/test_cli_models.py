"""`thoth models list` and `use`; pulling is in `test_pull.py`."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from thoth import settings
from thoth.system import machine, paths

Run = Callable[..., Result]
Read = Callable[..., Any]


def test_list(thoth: Run, read: Read, tiny_pair: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THOTH_MODEL")
    shutil.copytree(tiny_pair, home / "models" / "mine")
    found = {pair["name"]: pair for pair in read("models", "list")["models"]}
    assert list(found) == ["nano", "ministral-3-3b", "gemma-2-2b", "mistral-7b", "qwen3-4b", "smol", "mine"]
    assert [name for name, pair in found.items() if pair["installed"]] == ["nano", "mine"]
    assert [name for name, pair in found.items() if pair["used"]] == ["nano"]
    assert found["mine"]["bytes"] > 1000
    monkeypatch.setattr(machine, "total_memory", lambda: 16_000_000_000)
    result = thoth("models", "list")
    assert "this machine has 16.0 GB of memory" in result.stderr
    rows = result.stdout.splitlines()
    assert rows[1].split()[:4] == ["*", "nano", "built", "in"]
    assert "about 9.0 GB" in rows[2]


def test_use(thoth: Run, home: Path, tiny_pair: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = thoth("models", "use", "nano")
    assert result.stdout == "Now using nano\n"
    assert "overrides your settings" in result.stderr
    monkeypatch.delenv("THOTH_MODEL")
    monkeypatch.chdir(tiny_pair.parent)
    assert thoth("models", "use", tiny_pair.name).stderr == ""
    assert settings.load(paths.settings()).model == str(tiny_pair)
    monkeypatch.chdir(tmp_path)
    assert json.loads(thoth("ask", "--no-doc", "--json", "Who?").stdout)["model"] == str(tiny_pair)


def test_a_program_reads_what_was_done(
    read: Read, tiny_pair: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("THOTH_MODEL")
    shutil.copytree(tiny_pair, home / "models" / "mine")
    for command, used in ("pull", False), ("use", True), ("pull", True):
        facts = read("models", command, "mine")
        assert (facts["name"], facts["used"], facts["installed"]) == ("mine", used, True)


@pytest.mark.parametrize("name", ["qwen3-4b", "minstral"])
def test_what_is_not_here_cannot_be_used(thoth: Run, name: str, home: Path) -> None:
    result = thoth("models", "use", name)
    assert (result.exit_code, result.stdout) == (5, "")
    assert not home.exists()


def test_a_model_in_the_settings_that_is_gone(thoth: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THOTH_MODEL")
    settings.save(paths.settings(), model="gemma-2-2b")
    result = thoth("models", "list")
    assert result.exit_code == 0
    assert "thoth models pull gemma-2-2b" in result.stderr
    assert not any(line.startswith("*") for line in result.stdout.splitlines())
