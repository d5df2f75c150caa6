"""What shells complete, and that bash does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import Result

from tests.app import made_up
from thoth.cli import app
from thoth.cli.completion import find
from thoth.library.library import Library

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def library(home: Path) -> Library:
    library = Library(home)
    for name in ("harbour.txt", "the kite workshop", "twice", "lease.pdf"):
        made_up.begin(library, made_up.document([f"About {name}."], name))
    made_up.begin(library, made_up.document(["Another one."], "twice"))
    library.tag("contracts", [library.get("lease.pdf").id])
    return library


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (["do"], ["doctor", "docs"]),
        (["docs", "sh"], ["show"]),
        (["docs", "show", "har"], ["harbour.txt"]),
        (["docs", "remove", "lease.pdf", ""], ["lease.pdf", "the kite workshop", "harbour.txt"]),
        (["docs", "show", "'the"], ["the kite workshop"]),
        (["docs", "tag", ""], ["contracts"]),
        (["docs", "tag", "contracts", "har"], ["harbour.txt"]),
        (["ask", "--in", "c"], ["contracts"]),
        (["ask", "--route", ""], ["auto", "all", "none"]),
        (["export", "harbour.txt", "--format", "p"], ["peft"]),
        (["chat", "--te"], ["--temp"]),
        (["ask", "--model", "na"], ["nano"]),
        (["ask", "--doc", ""], []),
        (["absorb", ""], []),
        (["nothing", "at", "all"], []),
        ([""], None),
    ],
)
def test_words(typed: list[str], found: list[str] | None) -> None:
    if found is None:
        assert {"ask", "docs", "completion"} <= {*find(typer.main.get_command(app), typed)}
    else:
        assert find(typer.main.get_command(app), typed) == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts(thoth: Run, shell: str, tmp_path: Path) -> None:
    script = thoth("completion", shell).stdout
    assert "thoth completion words -- " in script
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([program, "-n", str(tmp_path / "script")], check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_names_with_spaces(thoth: Run, tmp_path: Path) -> None:
    program = tmp_path / "thoth"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m thoth "$@"\n')
    program.chmod(0o755)
    (tmp_path / "script").write_text(thoth("completion", "bash").stdout)
    typed = 'COMP_WORDS=(thoth docs show the); COMP_CWORD=3; _thoth; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "-c", f'. "{tmp_path}/script"; {typed}'],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "the\\ kite\\ workshop\n"
