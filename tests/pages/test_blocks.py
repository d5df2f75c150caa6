"""Every block of code in the README and the pages for users: commands are parsed at once, and run in the slow tier.

A block that cannot run everywhere has a comment before it, `<!-- not run: needs a GPU -->`; one that starts a server,
`<!-- in background -->`. The blocks of a page run in their order, in a fresh home with nano.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from convert.cli import app as converting
from tests.pages import markdown, shell, warm
from tests.pages.markdown import Block
from thoth import settings
from thoth.actions import templates
from thoth.cli import app
from thoth.errors import UsageError

ROOT = Path(__file__).parents[2]
PROGRAMS = {"thoth": app, "convert-weights": converting}
# Pages about developing have commands of hours; those are in runs/ and tested there.
DEVELOPERS = {"LOG.md", "architecture.md", "english-data.md", "measurements.md", "shared-lines.md"}
PAGES = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").glob("*.md") if page.name not in DEVELOPERS)]
LANGUAGES = {"sh", "python", "toml", "json", "yaml", "text"}
# Why a block is not run: the reason begins so.
REASONS = ("downloads", "needs", "installs", "waits")
LIGHT = {"agent.md", "app.md", "settings.md"}  # these load no model
_PATIENCE_SECONDS = 1800  # then something is broken
_SERVER = "http://127.0.0.1:11435/health"

BLOCKS = [block for page in PAGES for block in markdown.blocks(page)]


def name(block: Block) -> str:
    return f"{block.page}:{block.line}"


def test_every_block_names_its_language_and_a_known_reason() -> None:
    assert [name(block) for block in BLOCKS if block.language not in LANGUAGES] == []
    assert [name(block) for block in BLOCKS if block.not_run and not block.not_run.startswith(REASONS)] == []
    run = Counter((block.language, block.not_run) for block in BLOCKS if block.language in ("sh", "python"))
    for (language, reason), number in sorted(run.items()):
        print(f"{number:3} {language:7} {reason and 'not run: '}{reason}")
    assert sum(number for (_, reason), number in run.items() if not reason) >= 2 * len(
        [block for block in BLOCKS if block.not_run]
    )


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "sh"], ids=name)
def test_commands_have_the_arguments_that_the_programs_take(block: Block) -> None:
    faults = [(words, shell.fault(words, PROGRAMS)) for words in shell.commands(block.text)]
    assert [fault for fault in faults if fault[1]] == []


@pytest.mark.parametrize("words", ["thoth ask --nothing x", "thoth docs shwo", "thoth absorb", "make nothing"])
def test_wrong_commands_are_seen(words: str) -> None:
    assert shell.fault(words.split(), PROGRAMS)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "toml"], ids=name)
def test_settings_and_templates_are_allowed(block: Block, tmp_path: Path) -> None:
    (tmp_path / "block.toml").write_text(block.text)
    try:
        settings.read(tmp_path / "block.toml")
    except UsageError:
        templates.load(tmp_path, "block")
    assert tomllib.loads(block.text)


@pytest.fixture(scope="module")
def warm_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """The socket of the process in which programs start at once; None where there is none."""
    if sys.platform != "linux":
        yield None
        return
    at = tmp_path_factory.mktemp("warm") / "socket"
    process = subprocess.Popen([sys.executable, "-m", "tests.pages.warm", str(at)], cwd=ROOT)
    try:
        for _ in range(10 * _PATIENCE_SECONDS):
            if at.exists():
                break
            assert process.poll() is None
            time.sleep(0.1)
        yield at
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def place(tmp_path: Path, warm_process: Path | None) -> Path:
    """A working folder with the examples, where `thoth` is this one and its home is empty."""
    cold, fast = tmp_path / "cold", tmp_path / "bin"
    for program, module in (("thoth", "thoth.__main__"), ("convert-weights", "convert.cli")):
        start = f"import sys; from {module} import main; sys.argv[0] = '{program}'; main()"
        _write(cold / program, f'exec "{sys.executable}" -c "{start}" "$@"')
        _write(fast / program, f'exec "{cold / program}" "$@"')
    if warm_process:
        warm.write_client(fast / "thoth", "thoth", warm_process)
        warm.write_client(fast / "python-text", "python", warm_process)
    else:
        _write(fast / "python-text", f'exec "{sys.executable}" -c "$@"')
    for program in ("python", "python3"):
        _write(fast / program, f'exec "{sys.executable}" "$@"')
    work = tmp_path / "work"
    work.mkdir()
    (work / "tests").symlink_to(ROOT / "tests")
    return work


def _write(path: Path, line: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def environment(place: Path, programs: str = "bin") -> dict[str, str]:
    home = place.parent
    return {
        **os.environ,
        "HOME": str(home),
        "THOTH_HOME": str(home / "home"),
        "PATH": f"{home / programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }


def command(block: Block) -> list[str]:
    return ["python-text", block.text] if block.language == "python" else ["bash", "-euo", "pipefail", "-c", block.text]


def carried_out(page: Path, place: Path) -> int:
    """Run the blocks of a page; returns their number."""
    if "thoth try --copy examples" not in page.read_text(encoding="utf-8"):
        shutil.copytree(ROOT / "examples", place / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    servers: list[subprocess.Popen[str]] = []
    number = 0
    try:
        for block in markdown.blocks(page):
            if block.not_run or block.language not in ("sh", "python"):
                continue
            number += 1
            if block.in_background:
                servers.append(started(block, place))
                continue
            variables = environment(place)
            program, *arguments = command(block)
            done = subprocess.run(
                [shutil.which(program, path=variables["PATH"]) or program, *arguments],
                cwd=place,
                env=variables,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_PATIENCE_SECONDS,
                check=False,
            )
            print(f"--- {name(block)}\n{block.text}{done.stdout}{done.stderr}")
            assert done.returncode == 0, f"{name(block)}\n{block.text}\n{done.stdout}{done.stderr}"
    finally:
        for server in servers:
            server.terminate()
            server.wait()
    return number


def started(block: Block, place: Path) -> subprocess.Popen[str]:
    """Start a server and wait until it answers."""
    line = f"exec {block.text}"
    server = subprocess.Popen(
        ["bash", "-c", line], cwd=place, env=environment(place, "cold"), stdin=subprocess.DEVNULL, text=True
    )
    for _ in range(_PATIENCE_SECONDS):
        if subprocess.run(["curl", "--silent", "--fail", _SERVER], capture_output=True, check=False).returncode == 0:
            return server
        assert server.poll() is None, f"{name(block)} ended"
        time.sleep(1)
    raise AssertionError(f"{name(block)} does not answer")


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=() if page.name in LIGHT else pytest.mark.slow, id=page.name)
        for page in PAGES
        if any(block.page == page.name and block.language in ("sh", "python") for block in BLOCKS)
    ],
)
def test_blocks_run(page: Path, place: Path) -> None:
    carried_out(page, place)
