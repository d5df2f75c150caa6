"""Theme and keys of the settings, checked: a name that the app does not know has no effect and gives no message."""

from __future__ import annotations

import pkgutil
import unicodedata
from collections.abc import Iterator
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import KEY_NAME_REPLACEMENTS, Keys
from textual.theme import BUILTIN_THEMES

from thoth import settings
from thoth.actions.doctor import Finding
from thoth.errors import ThothError
from thoth.tui import screens, widgets

_MODIFIERS = {"ctrl", "shift", "alt", "meta", "super", "hyper"}


def check(path: Path) -> Iterator[Finding]:
    """Yield what is wrong with the appearance that a settings file asks for; the file's own mistakes are not repeated.

    Args:
        path: the settings file.
    """
    try:
        chosen = settings.load(path)
    except ThothError:
        return
    if chosen.theme is not None and chosen.theme not in BUILTIN_THEMES:
        yield Finding(
            "theme", "wrong", f"there is no theme {chosen.theme}", f"use {_near(chosen.theme, BUILTIN_THEMES)}"
        )
    known = {binding.id for binding in bindings() if binding.id}
    for id, keys in chosen.keys.items():
        if id not in known:
            yield Finding("keys", "wrong", f"there is no action {id} in [keys]", f"use {_near(id, known)}")
        for key in keys.split(","):
            if not _is_key(key.strip()):
                yield Finding(
                    "keys", "wrong", f"{id} has the key '{key.strip()}', which is none", 'write it as "ctrl+n"'
                )


def bindings() -> Iterator[Binding]:
    """Yield the bindings of every screen and widget of the app."""
    for package in (widgets, screens):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for kind in vars(import_module(module.name)).values():
                if isinstance(kind, type) and issubclass(kind, DOMNode) and kind.__module__ == module.name:
                    yield from Binding.make_bindings(kind.__dict__.get("BINDINGS", []))


def _near(name: str, known: object) -> str:
    names = sorted(known)  # type: ignore[call-overload]
    return " or ".join(get_close_matches(name, names, n=3)) or f"one of {', '.join(names)}"


def _is_key(key: str) -> bool:
    *modifiers, name = key.split("+") if key != "+" else [key]
    if not _MODIFIERS.issuperset(modifiers) or not name:
        return False
    if len(name) == 1 or name in {one.value for one in Keys} or name in KEY_NAME_REPLACEMENTS.values():
        return True
    try:
        unicodedata.lookup(name.replace("_", " ").upper())
    except KeyError:
        return False
    return True
