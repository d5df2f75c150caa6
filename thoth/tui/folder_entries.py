"""The content of a folder, to choose from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from thoth.errors import DocumentError
from thoth.system.terminal import shown


@dataclass(frozen=True)
class Entry:
    """A file or folder.

    Attributes:
        path: absolute.
        is_folder: False for a file.
        size: size of a file, in bytes.
    """

    path: Path
    is_folder: bool
    size: int = 0


def entries(folder: Path) -> list[Entry]:
    """Return the content of a folder, folders first, including hidden entries. Reads the disk: call it on a thread.

    Raises:
        DocumentError: It is not a folder, or cannot be read.
    """
    found = []
    try:
        with os.scandir(folder) as scan:
            for entry in scan:
                try:
                    if entry.is_dir():
                        found.append(Entry(folder / entry.name, True))
                    elif entry.is_file():
                        found.append(Entry(folder / entry.name, False, entry.stat().st_size))
                except OSError:  # a link that points to itself, a file that was just removed
                    continue
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DocumentError(f"cannot read the folder {shown(str(folder))} ({reason.lower()})") from error
    return sorted(found, key=lambda entry: (not entry.is_folder, entry.path.name.casefold()))
