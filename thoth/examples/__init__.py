"""The example documents, as package data: three notes in nano's language, and a lease, minutes and a manual in English.

Nothing comes in; out goes their folder, or a copy of them. What is asked about them is in `thoth/actions/tryout.py`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from thoth.errors import UsageError

_SUFFIXES = (".md", ".pdf", ".txt")


def folder() -> Path:
    """Return the folder of the documents."""
    return Path(__file__).parent


def copy(destination: Path) -> list[str]:
    """Copy the documents into a folder, which is made if it is missing; returns their names.

    Raises:
        UsageError: It cannot be written, or has a file of one of these names.
    """
    names = sorted(path.name for path in folder().iterdir() if path.suffix in _SUFFIXES)
    if there := [name for name in names if (destination / name).exists()]:
        raise UsageError(f"{destination} has {', '.join(there)} already; name another folder")
    try:
        destination.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(folder() / name, destination / name)
    except OSError as error:
        raise UsageError(f"{destination} cannot be written ({error.strerror}); name another folder") from error
    return names
