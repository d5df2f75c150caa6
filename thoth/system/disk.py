"""The disk: room is checked before writing, errors are explained, and new files are for this user alone."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from thoth.errors import ResourceError, ThothError
from thoth.system.machine import existing

_FULL = {errno.ENOSPC, errno.EDQUOT}


# Left free, so that documents can still be removed from a disk that is as good as full: that takes room at first.
RESERVE = 16 << 20


def require_room(folder: Path, needed: int) -> None:
    """Raise `ResourceError` unless `needed` bytes, and the reserve, fit on the disk that `folder` is on."""
    if is_full(folder):
        raise full(folder)
    free = shutil.disk_usage(folder).free
    if needed + RESERVE > free:
        raise ResourceError(
            f"{needed / 1e6:.1f} MB are needed and {folder} has {free / 1e6:.1f} MB left: free some space"
        )


def is_full(folder: Path) -> bool:
    """Return whether not even a small file fits any more."""
    return shutil.disk_usage(existing(folder)).free < 1 << 16


def full(folder: Path) -> ResourceError:
    """Return the error for a disk that ran full."""
    return ResourceError(f"the disk with {folder} is full: free some space and try again")


def is_read_only(folder: Path) -> bool:
    """Return whether this user cannot write there: the disk is read-only, or the permissions say so."""
    return is_on_read_only_disk(folder) or not os.access(existing(folder), os.W_OK)


def is_on_read_only_disk(folder: Path) -> bool:
    """Return whether the file system is read-only, whatever the permissions say."""
    return bool(os.statvfs(existing(folder)).f_flag & os.ST_RDONLY)


def read_only(folder: Path) -> ThothError:
    """Return the error for a folder that cannot be written."""
    return ThothError(f"{folder} is read-only: nothing in it can be changed; make it writable or set THOTH_HOME")


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn an `OSError` inside the block into the error people read.

    Raises:
        ResourceError: The disk is full.
        ThothError: A file cannot be read or written for another reason.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise full(folder) from error
        if error.errno == errno.EROFS:
            raise read_only(folder) from error
        place = error.filename or folder
        raise ThothError(f"cannot use {place} ({error.strerror}): fix its permissions or set THOTH_HOME") from error


def make_private_folder(folder: Path) -> None:
    """Create a folder, and those above it that are missing, for this user alone; one that exists keeps its mode."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(0o700, exist_ok=True)


def new_private(path: Path) -> BinaryIO:
    """Open a new file that only this user may read and write.

    Raises:
        FileExistsError: The file exists.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
