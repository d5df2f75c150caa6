"""Commands in blocks of shell: taken apart, and checked without running them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer

from docs.site.commands import tree

ROOT = Path(__file__).parents[2]
_ENDS = {"|", "||", "&&", ";", "&", "\n"}
_INTO = {"<", ">", ">>", "<<<"}
_ASSIGNMENT = re.compile(r"\w+=")
_TARGET = re.compile(r"^([\w-]+):", re.MULTILINE)


def commands(text: str) -> Iterator[list[str]]:
    """Yield each simple command of a script as its words; assignments and redirections are left out."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words: list[str] = []
        skip = False
        for word in [*lexer, "\n"]:
            if word in _ENDS:
                if words:
                    yield words
                words = []
            elif word in _INTO:
                skip = True
            elif skip:
                skip = False
            elif words or not _ASSIGNMENT.match(word):
                words.append(word)


def fault(words: list[str], programs: dict[str, typer.Typer]) -> str:
    """Return why a command of ours cannot be meant as it stands; empty where it can, and for other programs."""
    match words:
        case [name, *given] if Path(name).name in programs:
            return _refused(Path(name).name, given, programs[Path(name).name])
        case ["make", target]:
            known = _TARGET.findall((ROOT / "Makefile").read_text())
            return "" if target in known else f"the Makefile has no {target}"
        case ["python", "-m", module, *_]:
            return "" if find_spec(module) else f"there is no module {module}"
        case [script, *_] if script.startswith("runs/"):
            return "" if (ROOT / script).is_file() else f"there is no {script}"
    return ""


@cache
def _known(program: str, app: typer.Typer) -> dict[str, Any]:
    return {path: command for path, command, _ in tree(program, app)}


def _refused(program: str, given: list[str], app: typer.Typer) -> str:
    """Return what the program's own parser says against arguments; nothing is run."""
    known = _known(program, app)
    path, context = program, None
    command: Any = known[path]
    while given and f"{path} {given[0]}" in known:
        context = command.make_context(path, [], resilient_parsing=True)
        path, given = f"{path} {given[0]}", given[1:]
        command = known[path]
    if getattr(command, "commands", {}) and given and not given[0].startswith("-"):
        return f"{path} has no command {given[0]}"
    try:
        command.make_context(path, given, context)
    except typer.Exit:
        return ""  # --help, --version
    except Exception as error:
        return f"{path}: {getattr(error, 'message', error)}"
    return ""
