"""The app's keys and commands, from the bindings of its screens and widgets and from the table of commands."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

from textual.binding import Binding
from textual.dom import DOMNode

import thoth.tui
from thoth.tui.commands import COMMANDS
from thoth.tui.key_names import written

# Where keys work, in the order of the page. A test fails when a class with keys is missing.
PLACES = {
    "MainScreen": "Everywhere",
    "Prompt": "The prompt",
    "LibraryPanel": "The library",
    "DocumentList": "The library: its list",
    "AbsorbQueue": "Documents being absorbed",
    "Dialog": "Every dialog",
    "RowList": "Every list",
    "DocumentScreen": "A document",
    "FilePicker": "Choosing files",
    "FileList": "Choosing files: the list",
    "SessionsScreen": "Chats",
    "SettingsScreen": "Settings",
    "PermissionDialog": "Permission for a tool",
    "Confirm": "Yes or no",
}


def page() -> str:
    """Return a table of keys for each place, and one of all commands."""
    found = dict(bound())
    parts = [f"### {PLACES[name]}\n\n{_keys(found[name])}" for name in PLACES if name in found]
    return "\n".join([*parts, f"## Commands\n\n{_commands()}"])


def bound() -> Iterator[tuple[str, list[Binding]]]:
    """Yield each class of the app that has keys of its own, by name, with those that users may change."""
    for found in pkgutil.walk_packages(thoth.tui.__path__, "thoth.tui."):
        module = importlib.import_module(found.name)
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, DOMNode) and kind.__module__ == module.__name__ and "BINDINGS" in vars(kind):
                named = [one for one in kind.BINDINGS if isinstance(one, Binding) and one.id]
                if named:
                    yield name, named


def _keys(bindings: list[Binding]) -> str:
    rows = [
        f"| {_shown(binding)} | {binding.tooltip or binding.description} | `{binding.id}` |" for binding in bindings
    ]
    return "\n".join(["| key | what it does | name |", "|---|---|---|", *rows, ""])


def _shown(binding: Binding) -> str:
    return " ".join(f"`{written(key)}`" for key in binding.key.split(","))


def _commands() -> str:
    usages = {command: command.usage.replace("|", "\\|") for command in COMMANDS}
    rows = [f"| `{usages[command]}` | {command.help} |" for command in COMMANDS]
    return "\n".join(["| command | what it does |", "|---|---|", *rows, ""])
