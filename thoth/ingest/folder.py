"""A folder -> the files in it that people would call documents.

Left out: hidden files, what `.gitignore` names, packages and caches that programs put there, links to folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

from thoth.errors import DocumentError
from thoth.ingest import bundles
from thoth.ingest.names import shown

_IGNORED = {"node_modules", "__pycache__", "site-packages", "__MACOSX"}

# A folder with one of these is a virtual environment or a cache.
_MARKERS = ("pyvenv.cfg", "CACHEDIR.TAG")

_Rules = tuple[tuple[Path, GitIgnoreSpec], ...]


def files(folder: Path) -> Iterator[Path | DocumentError]:
    """Yield the files below a folder in the order of their names, and an error for each folder that is closed."""
    if bundles.is_bundle(folder):
        yield folder
    else:
        yield from _walk(folder, _rules_above(folder))


def _walk(folder: Path, rules: _Rules) -> Iterator[Path | DocumentError]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        reason = "may not be read" if isinstance(error, PermissionError) else f"cannot be read ({error.strerror})"
        yield DocumentError(f"the folder {shown(str(folder))} {reason}: change its permissions")
        return
    rules += _rules_of(folder)
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith(".") or entry.name in _IGNORED:
            continue
        if entry.is_dir(follow_symlinks=False):
            if not _is_ignored(path, rules, is_folder=True) and not any((path / mark).exists() for mark in _MARKERS):
                yield from [path] if bundles.is_bundle(path) else _walk(path, rules)
        elif _is_file(entry) and not _is_ignored(path, rules, is_folder=False):
            yield path


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Tell a file, or a link to one, from pipes, devices and broken links."""
    try:
        return entry.is_file()
    except OSError:  # a link that points to itself
        return False


def _is_ignored(path: Path, rules: _Rules, *, is_folder: bool) -> bool:
    """Ask the nearest `.gitignore` first; the first that has an opinion decides."""
    for root, spec in reversed(rules):
        relative = Path(os.path.abspath(path)).relative_to(root).as_posix() + ("/" if is_folder else "")
        decision = spec.check_file(relative).include
        if decision is not None:
            return decision
    return False


def _rules_of(folder: Path) -> _Rules:
    try:
        lines = (folder / ".gitignore").read_text("utf-8", "replace").splitlines()
        return ((Path(os.path.abspath(folder)), GitIgnoreSpec.from_lines(lines)),)
    except (OSError, ValueError):  # none there, or none that git would understand either
        return ()


def _rules_above(folder: Path) -> _Rules:
    """Return the rules of the repository that the folder is in, outermost first."""
    above: Sequence[Path] = Path(os.path.abspath(folder)).parents
    root = next((i for i, parent in enumerate(above) if (parent / ".git").exists()), None)
    if root is None or (folder / ".git").exists():
        return ()
    return tuple(rule for parent in reversed(above[: root + 1]) for rule in _rules_of(parent))
