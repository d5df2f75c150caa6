"""A paste -> the files that were dropped on the terminal, in the notation of any terminal.

A dropped file arrives as pasted text. A paste counts as a drop only if each part of it is the absolute path of an
existing file or folder; everything else stays text. Some terminals lose characters of a name: such a name is replaced
with the only name in its folder that fits, and the drop reports it.
"""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from thoth import ingest
from thoth.actions import sources
from thoth.system.terminal import shown

# Longer pastes are texts; some hundred paths fit in here.
_MOST_CHARACTERS = 1 << 17

_START = re.compile(r"""\s*\$?["']?(?:/|file://)""")
_LINE_ENDS = re.compile(r"[\r\n]+")
_BEFORE_A_PATH = re.compile(r"\s+(?=/|file://)")

# VS Code: '...' or $'...', a backslash before backslashes and quotes, these gone; older ones leave out quotes too.
_VSCODE = re.compile(r"\$?'((?:[^'\\]|\\.)*)'\s*", re.DOTALL)
_GONE = ("", "`$|&>~#!^*;<", "`$|&>~#!^*;<\"'")


@dataclass(frozen=True)
class Drop:
    """Files and folders that were dropped.

    Attributes:
        paths: absolute, in order, each once.
        note: one line about the names that were guessed; None if none were.
    """

    paths: tuple[Path, ...]
    note: str | None = None


def may_be_drop(text: str) -> bool:
    """Tell from the text alone whether it may be a drop; reading folders can be slow on a network."""
    return len(text) <= _MOST_CHARACTERS and _START.match(text) is not None


def find_drops(text: str) -> Drop | None:
    """Return the files that a paste names, or None if it is text. Reads folders: call it on a worker.

    Args:
        text: the paste. It may hold plain paths, one per line or separated by spaces (kitty,
            Terminal.app, Alacritty); with backslashes (iTerm2, Ghostty, WezTerm, Terminal.app); in quotes (GNOME
            Terminal, Konsole, foot, Windows Terminal, VS Code); and `file://` addresses.
    """
    if not may_be_drop(text):
        return None
    readings = [reading(text) for reading in _READINGS]
    for parts in readings:
        if paths := _resolve_all(parts, _existing):
            return Drop(tuple(dict.fromkeys(paths)))
    for parts in readings:
        if paths := _resolve_all(parts, _repaired):
            return Drop(tuple(dict.fromkeys(paths)), _note(parts, paths))
    return None


def typed(argument: str) -> list[str]:
    """Return what a person means after a command: one source as it is written, else paths as a shell reads them.

    Args:
        argument: an address or a path, also with spaces in it; or paths in quotes or with backslashes, if all exist.
    """
    words = [] if ingest.is_address(argument) or _is_there(argument) else _words(argument)
    return words if words and all(map(_is_there, words)) else [argument]


def _is_there(path: str) -> bool:
    return os.path.lexists(os.path.expanduser(path))


def missing(text: str) -> str | None:
    """Return one line about a paste that looks like dropped files, one of which is missing; else None.

    Call it if `find_drops` found nothing: the paste stays text, and this line says why.
    """
    if not may_be_drop(text) or _LINE_ENDS.search(text.strip()):
        return None
    for parts in (_vscode(text), _words(text)):
        paths = [sources.path_of(part) for part in parts]
        if paths and all(path.startswith("/") and PurePosixPath(path).suffix for path in paths):
            lost = next((path for path in paths if not os.path.exists(path)), paths[0])
            return f"Pasted as text: there is no file {shown(lost)} on this machine"
    return None


def _whole(text: str) -> list[str]:
    return [text]


def _lines(text: str) -> list[str]:
    return [line for line in _LINE_ENDS.split(text) if line.strip()]


def _words(text: str) -> list[str]:
    """Split as a shell does: backslashes, quotes, spaces."""
    try:
        return shlex.split(text)
    except ValueError:  # a quote without its other half
        return []


def _columns(text: str) -> list[str]:
    """Split where a path begins; no name has a slash in it."""
    return _BEFORE_A_PATH.split(text.strip())


def _vscode(text: str) -> list[str]:
    """Split into VS Code's own quotes, where the text is nothing else."""
    text = text.strip()
    quoted = [*_VSCODE.finditer(text)]
    if "".join(match[0] for match in quoted) != text:
        return []
    return [re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL) for match in quoted]


_READINGS: tuple[Callable[[str], list[str]], ...] = (_whole, _lines, _words, _columns, _vscode)


def _resolve_all(parts: Iterable[str], resolve: Callable[[str], Path | None]) -> list[Path] | None:
    """Resolve every part, or return None at the first that does not exist."""
    paths: list[Path] = []
    for part in parts:
        if (path := resolve(part)) is None:
            return None
        paths.append(path)
    return paths


def _existing(part: str) -> Path | None:
    for spelling in (part, part.strip()):  # some terminals write a space after each path; some names end with one
        path = sources.path_of(spelling)
        if path.startswith("/") and path.strip("/") and _is_file_or_folder(path):
            return Path(path)
    return None


def _is_file_or_folder(path: str | Path) -> bool:
    return os.path.isfile(path) or os.path.isdir(path)  # both are False for what no path can be


def _repaired(part: str) -> Path | None:
    """Follow a path from the root; where a name does not exist, use the only name that fits."""
    if (path := _existing(part)) is not None:
        return path
    names = PurePosixPath(sources.path_of(part.strip())).parts
    if len(names) < 2 or names[0] != "/":
        return None
    found = Path("/")
    for name in names[1:]:
        try:
            exact = os.path.lexists(found / name)
            fitting = [name] if exact else [entry for entry in os.listdir(found) if _can_become(entry, name)]
        except (OSError, ValueError):
            return None
        if len(fitting) != 1:
            return None
        found /= fitting[0]
    return found if _is_file_or_folder(found) else None


def _can_become(entry: str, name: str) -> bool:
    """Tell whether a terminal may write `name` for `entry`: with characters missing or replaced by similar ones."""
    spellings = (entry.translate(dict.fromkeys(map(ord, gone))) for gone in _GONE)
    return _folded(name) in map(_folded, spellings)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name)  # é in one character or two; all kinds of spaces


def _note(parts: Iterable[str], paths: Iterable[Path]) -> str:
    guesses = [(part, path) for part, path in zip(parts, paths, strict=True) if _existing(part) is None]
    return "; ".join(
        f"Absorbing {shown(str(path))} in place of {shown(sources.path_of(part.strip()))}" for part, path in guesses
    )
