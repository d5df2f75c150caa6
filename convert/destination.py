"""Where a conversion may write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from convert.errors import ConversionError


def check_destination(source: Path, destination: Path, force: bool, ours: Iterable[str]) -> None:
    """Refuse a destination before any work is done.

    Args:
        source: what will be read.
        destination: the folder that will appear.
        force: whether one that exists may be replaced.
        ours: names of the files by which a folder of this command is recognised; no other one is replaced.

    Raises:
        ConversionError: saying what to do.
    """
    read, written = source.resolve(), destination.resolve()
    if written != read and (written.is_relative_to(read) or read.is_relative_to(written)):
        raise ConversionError(f"{destination} and {source} are one inside the other: choose another place")
    if not destination.exists():
        return
    if not force:
        raise ConversionError(f"{destination} exists: choose another place, or replace it with --force")
    if written == read or not all((destination / name).is_file() for name in ours):
        raise ConversionError(f"{destination} is not a result of this command: it is not replaced, remove it yourself")
