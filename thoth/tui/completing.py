"""What Tab makes of the text in the prompt, and what is said about it: commands, `@` names, a path to absorb."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from thoth.system.spelling import fold
from thoth.system.terminal import shown
from thoth.tui import commands, mentions

_MOST_ROWS = 6
_MOST_NAMES = 200  # of a folder that is listed for an `@`
_MOST_PATH = 1_000
_MENTION = re.compile(r"""(?:^|(?<=\s))@("?)([^"\n]*)$""")
# One slash and a word is a command.
_PATH = re.compile(r"(?:~|\.{1,2})/|/[^/\s]+/|https?://\S+$", re.IGNORECASE)
_DISK = re.compile(r"(?:^|\s)@|^\s*(?:(?:~|\.{1,2})/|/[^/\s]+/)")


@dataclass(frozen=True)
class Hint:
    """What is known about the text so far.

    Attributes:
        rows: what fits, with an explanation; shown above the prompt.
        text: the text that Tab makes of it.
        absorb: a path or address that Tab absorbs; the text is then cleared.
    """

    rows: tuple[tuple[str, str], ...]
    text: str
    absorb: str = ""


@dataclass(frozen=True)
class Names:
    """What can be named.

    Attributes:
        documents: names of the documents of the library.
        collections: names of the collections.
    """

    documents: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()


def needs_disk(text: str) -> bool:
    """Tell whether `hint` reads folders for this text: then it is called on a thread."""
    return len(text) < _MOST_PATH and _DISK.search(text) is not None


def may_complete(text: str) -> bool:
    """Tell from a text alone whether Tab may make something of it."""
    return bool(text.startswith("/") or _PATH.match(text.strip()) or _MENTION.search(text))


def hint(text: str, names: Names) -> Hint:
    """Return what fits a text up to the cursor."""
    if found := _MENTION.search(text):
        return _mention(text[: found.start()], found[2], names)
    if (word := text.strip()) and _PATH.match(word) and (offer := _offer(word)):
        return Hint(((f"Tab absorbs {shown(offer)}", "Enter sends it as a question"),), text, offer)
    if text.startswith("/in "):
        return _listed("/in ", text[4:], [(name, name) for name in names.collections], "collection")
    found_commands = commands.completions(text)
    rows = [(command.usage, command.help) for command in found_commands]
    return Hint(_cut(rows), commands.complete(text) if text.startswith("/") else text)


def _mention(before: str, typed: str, names: Names) -> Hint:
    """Return documents whose names begin with what was typed, then those that have it in them, then files."""
    part = fold(typed)
    matching = [name for name in dict.fromkeys(names.documents) if part in fold(name)]
    matching.sort(key=lambda name: not fold(name).startswith(part))
    files = [name for name in _files(typed) if name not in matching]
    if not matching and not files:
        return Hint((), before + f"@{typed}")
    rows = [(f"@{shown(name)}", "document") for name in matching]
    rows += [(f"@{shown(name)}", "folder" if name.endswith("/") else "file") for name in files]
    every = [*matching, *files]
    if len(every) == 1 or (matching and part == fold(matching[0])):
        only = every[0]
        end = "" if only.endswith("/") else " "
        return Hint(_cut(rows), f"{before}{mentions.written(only)}{end}")
    same = commands.common(every)
    longer = same if len(same) > len(typed) and fold(same).startswith(part) else typed
    opened = '@"' if " " in longer else "@"
    return Hint(_cut(rows), f"{before}{opened}{longer}")


def _listed(before: str, typed: str, choices: Sequence[tuple[str, str]], kind: str) -> Hint:
    fitting = [name for name, _ in choices if fold(name).startswith(fold(typed.strip()))]
    if not fitting:
        return Hint((), before + typed)
    longer = fitting[0] if len(fitting) == 1 else commands.common(fitting) or typed
    return Hint(_cut([(f"{before}{name}", kind) for name in fitting]), before + longer)


def _files(typed: str) -> list[str]:
    """Return files and folders that begin with what was typed; hidden ones if their dot was."""
    folder, name = os.path.split(typed)
    try:
        with os.scandir(Path(folder).expanduser() if folder else os.curdir) as entries:
            found = []
            for entry in entries:
                if fold(entry.name).startswith(fold(name)) and (name.startswith(".") or not entry.name.startswith(".")):
                    found.append(os.path.join(folder, entry.name) + ("/" if entry.is_dir() else ""))
                    if len(found) == _MOST_NAMES:
                        break
    except (OSError, RuntimeError, ValueError):
        return []
    return sorted(found)


def _offer(word: str) -> str:
    """Return the address, file or folder that a text names and nothing else."""
    if "\n" in word or len(word) > _MOST_PATH:
        return ""
    if "://" in word:
        return word
    try:
        return word if Path(word).expanduser().exists() else ""
    except (OSError, RuntimeError, ValueError):
        return ""


def _cut(rows: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    more = len(rows) - _MOST_ROWS
    return (*rows[:_MOST_ROWS], *([(f"and {more} more", "Tab completes")] if more > 0 else []))
