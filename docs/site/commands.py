"""The command line's help, as pages show it: one heading and one block of text for each command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

_COLUMNS = 78  # as on a terminal of 80


def tree(name: str, app: typer.Typer) -> Iterator[tuple[str, Any, Any]]:
    """Yield the full name, the command and its context, of a command line and of everything below it."""
    yield from _below(name, typer.main.get_command(app), None)


def _below(name: str, command: Any, parent: Any) -> Iterator[tuple[str, Any, Any]]:
    context = command.make_context(name, [], parent, resilient_parsing=True, terminal_width=_COLUMNS)
    yield context.command_path, command, context
    for below in getattr(command, "commands", {}):
        yield from _below(below, command.commands[below], context)


def page() -> str:
    """Return the help of every command of `thoth`."""
    from thoth.cli import app

    return "\n".join(_section(path, command, context) for path, command, context in tree("thoth", app))


def converting() -> str:
    """Return the help of `convert-weights`."""
    from convert.cli import app

    return "\n".join(_section(path, command, context) for path, command, context in tree("convert-weights", app))


def _section(path: str, command: Any, context: Any) -> str:
    return f"## {path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
