"""Patterns of `.gitignore`, matched in time that grows with pattern times name and never faster.

Such a file comes with a folder that a stranger made. Compiled to regular expressions, `a*a*a*a*b` takes longer for
each letter of a name than all letters before it. The rules are those of gitignore(5).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_MAX_BYTES = 256 << 10  # larger ones are made by programs, or to hang some
_MAX_PATTERNS = 5000
_MAX_LETTERS = 1000  # of a pattern


@dataclass(frozen=True)
class Pattern:
    """One line of a `.gitignore`.

    Attributes:
        parts: between slashes; `**` stands for any number of folders.
        negated: whether it brings back what an earlier one left out.
        folders: whether it is for folders alone.
    """

    parts: tuple[str, ...]
    negated: bool
    folders: bool

    def matches(self, path: Sequence[str], *, is_folder: bool) -> bool:
        """Tell whether it is for a path, given as its parts below the folder of the `.gitignore`."""
        return (is_folder or not self.folders) and _match(self.parts, path, "**", _match_name)


def parse(lines: Iterable[str]) -> list[Pattern]:
    """Return the patterns in the lines of a `.gitignore`."""
    found: list[Pattern] = []
    for line in lines:
        text = line.rstrip("\n\r")
        while text.endswith(" ") and not text.endswith("\\ "):
            text = text[:-1]
        if not text or text.startswith("#") or len(text) > _MAX_LETTERS or len(found) >= _MAX_PATTERNS:
            continue
        negated = text.startswith("!")
        text = text[1:] if negated else text
        folders = text.endswith("/")
        text = text.rstrip("/")
        if not text:
            continue
        # With a slash inside, it counts from the folder of the file; else it is for any depth.
        anchored = "/" in text
        parts = [part for part in text.split("/") if part]
        found.append(Pattern(tuple(parts if anchored else ["**", *parts]), negated, folders))
    return found


def decide(patterns: Sequence[Pattern], path: Sequence[str], *, is_folder: bool) -> bool | None:
    """Return whether the patterns leave a path out; None where none of them is for it. The last one counts."""
    for pattern in reversed(patterns):
        if pattern.matches(path, is_folder=is_folder):
            return not pattern.negated
    return None


def read(path: Path) -> list[Pattern]:
    """Return the patterns of a file; none of one that is no regular small file."""
    try:
        # Not to wait for a pipe of that name.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return []
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MAX_BYTES:
            return []
        return parse(os.read(handle, _MAX_BYTES).decode("utf-8", "replace").split("\n"))
    except OSError:
        return []
    finally:
        os.close(handle)


def _match_name(pattern: str, name: str) -> bool:
    return _match(_tokens(pattern), name, "*", _match_letter)


def _match(pattern: Sequence[str], text: Sequence[str], star: str, one: Callable[[str, str], bool]) -> bool:
    """Match with one star to come back to: a later one makes all earlier ones irrelevant.

    Args:
        pattern: parts, of a path or of a name.
        text: parts.
        star: the part that stands for any number of parts of the text.
        one: tells whether another part of the pattern is for one part of the text.
    """
    at, place, last, mark = 0, 0, -1, 0
    while place < len(text):
        if at < len(pattern) and pattern[at] == star:
            last, mark = at, place
            at += 1
        elif at < len(pattern) and one(pattern[at], text[place]):
            at += 1
            place += 1
        elif last >= 0:
            mark += 1
            at, place = last + 1, mark
        else:
            return False
    # `folder/**` is for what is in the folder, not for the folder itself; `name*` is for `name` too.
    return at == len(pattern) or (star == "*" and all(part == star for part in pattern[at:]))


@lru_cache(maxsize=_MAX_PATTERNS)
def _tokens(pattern: str) -> tuple[str, ...]:
    """Split a pattern for a name into letters, `?`, `*`, escaped letters and classes such as `[a-z]`."""
    found: list[str] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\" and at + 1 < len(pattern):
            found.append(pattern[at : at + 2])
            at += 2
        elif letter == "[" and (end := pattern.find("]", at + 2)) > 0:
            found.append(pattern[at : end + 1])
            at = end + 1
        else:
            if not (letter == "*" and found and found[-1] == "*"):
                found.append(letter)
            at += 1
    return tuple(found)


def _match_letter(token: str, letter: str) -> bool:
    if token == "?":
        return True
    if token[0] == "\\" and len(token) == 2:
        return token[1] == letter
    if token[0] != "[" or len(token) < 3:
        return token == letter
    inner = token[1:-1]
    negated = inner[0] in "!^"
    inner = inner[1:] if negated else inner
    found, at = False, 0
    while at < len(inner):
        if at + 2 < len(inner) and inner[at + 1] == "-":
            found = found or inner[at] <= letter <= inner[at + 2]
            at += 3
        else:
            found = found or inner[at] == letter
            at += 1
    return found != negated
