"""A folder -> the files in it that people would call documents.

Left out: hidden files, what `.gitignore` names, packages and caches that programs put there, links to folders, and
links to files outside of the folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from thoth.errors import DocumentError
from thoth.ingest import bundles, gitignore
from thoth.ingest.gitignore import Pattern
from thoth.ingest.names import shown

_IGNORED = {"node_modules", "__pycache__", "site-packages", "__MACOSX"}

# A folder with one of these is a virtual environment or a cache.
_MARKERS = ("pyvenv.cfg", "CACHEDIR.TAG")

_MAX_DEPTH = 100  # folders in each other; people have a dozen

_Rules = tuple[tuple[tuple[str, ...], list[Pattern]], ...]


def files(folder: Path) -> Iterator[Path | DocumentError]:
    """Yield the files below a folder in the order of their names, and an error for each folder that is closed.

    Links that lead out of the folder are left out; one error at the end says how many there were.
    """
    if bundles.is_bundle(folder):
        yield folder
        return
    root = os.path.realpath(folder)
    waiting: list[tuple[Path, _Rules, int]] = [(folder, _rules_above(folder), 0)]
    outside = too_deep = 0
    # A stack of its own: folders can be nested deeper than Python's calls.
    pending: list[Iterator[os.DirEntry[str]]] = []
    places: list[tuple[Path, _Rules, int]] = []
    while waiting or pending:
        if waiting:
            path, rules, depth = waiting.pop()
            try:
                entries = sorted(os.scandir(path), key=lambda entry: entry.name)
            except OSError as error:
                reason = (
                    "may not be read" if isinstance(error, PermissionError) else f"cannot be read ({error.strerror})"
                )
                yield DocumentError(f"the folder {shown(str(path))} {reason}: change its permissions")
                continue
            pending.append(iter(entries))
            places.append((path, rules + _rules_of(path), depth))
        entry = next(pending[-1], None)
        if entry is None:
            pending.pop()
            places.pop()
            continue
        path, rules, depth = places[-1]
        found = path / entry.name
        if entry.name.startswith(".") or entry.name in _IGNORED:
            continue
        if entry.is_dir(follow_symlinks=False):
            if _is_ignored(found, rules, is_folder=True) or any((found / mark).exists() for mark in _MARKERS):
                continue
            if bundles.is_bundle(found):
                yield found
            elif depth >= _MAX_DEPTH:
                too_deep += 1
            else:
                waiting.append((found, rules, depth + 1))
        elif _is_file(entry) and not _is_ignored(found, rules, is_folder=False):
            if entry.is_symlink() and not _is_within(os.path.realpath(found), root):
                outside += 1
            else:
                yield found
    name = shown(str(folder))
    if outside:
        yield DocumentError(f"left out {_links(outside)} in {name} that lead out of it: name what they point to")
    if too_deep:
        yield DocumentError(f"left out folders in {name} more than {_MAX_DEPTH} deep: name them")


def _links(count: int) -> str:
    return "1 link" if count == 1 else f"{count:,} links"


def _is_within(path: str, root: str) -> bool:
    return path.startswith(root.rstrip(os.sep) + os.sep)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Tell a file, or a link to one, from pipes, devices and broken links."""
    try:
        return entry.is_file()
    except OSError:  # a link that points to itself
        return False


def _is_ignored(path: Path, rules: _Rules, *, is_folder: bool) -> bool:
    """Ask the nearest `.gitignore` first; the first that has an opinion decides."""
    parts = Path(os.path.abspath(path)).parts
    for root, patterns in reversed(rules):
        decision = gitignore.decide(patterns, parts[len(root) :], is_folder=is_folder)
        if decision is not None:
            return decision
    return False


def _rules_of(folder: Path) -> _Rules:
    patterns = gitignore.read(folder / ".gitignore")
    return ((Path(os.path.abspath(folder)).parts, patterns),) if patterns else ()


def _rules_above(folder: Path) -> _Rules:
    """Return the rules of the repository that the folder is in, outermost first."""
    above: Sequence[Path] = Path(os.path.abspath(folder)).parents
    root = next((i for i, parent in enumerate(above) if (parent / ".git").exists()), None)
    if root is None or (folder / ".git").exists():
        return ()
    return tuple(rule for parent in reversed(above[: root + 1]) for rule in _rules_of(parent))
