"""Where a conversion writes: the destination appears complete or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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


@contextmanager
def appearing(destination: Path) -> Iterator[Path]:
    """A temporary folder that becomes `destination` if the block succeeds, and vanishes if not."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = (destination.with_name(f".{destination.name}-{uuid.uuid4().hex}") for _ in range(2))
    temporary.mkdir()
    try:
        yield temporary
        if destination.exists():
            os.replace(destination, old)
        os.replace(temporary, destination)
    finally:
        if old.exists() and not destination.exists():
            os.replace(old, destination)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
