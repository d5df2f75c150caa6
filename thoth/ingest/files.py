"""Paths and standard input -> bytes: never more than the limit, and never half of one version of a file."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from thoth.errors import DocumentError
from thoth.ingest import bundles, formats
from thoth.ingest.names import shown

_BLOCK_BYTES = 1 << 20
_TRIES = 2


def is_stream(path: Path) -> bool:
    """Tell a pipe or a device, which only this process can read, from a file that any process can open."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    # `/dev/stdin` and `/dev/fd/3` may be files, but each process has its own.
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or os.path.abspath(path).startswith(("/dev/", "/proc/"))


def read_file(path: Path) -> bytes:
    """Read a file, once more where it changes meanwhile; a folder that is one document comes as a zip archive.

    Raises:
        DocumentError: The file is missing, a folder, unreadable, too large, or keeps changing.
    """
    name = shown(str(path))
    if bundles.is_bundle(path):
        return bundles.pack(path)
    try:
        for _ in range(_TRIES):
            with path.open("rb") as file:
                before = os.fstat(file.fileno())
                data = bounded(file.read, shown(path.name), before.st_size)
                is_pipe = not stat.S_ISREG(before.st_mode)  # it can be read once, and nobody writes over it
                if is_pipe or _version(before) == _version(os.fstat(file.fileno())):
                    return data
    except FileNotFoundError as error:
        raise DocumentError(f"there is no file {name}: check the name") from error
    except IsADirectoryError as error:
        raise DocumentError(f"{name} is a folder: name the files in it, one --doc for each") from error
    except PermissionError as error:
        raise DocumentError(f"{name} may not be read: change its permissions") from error
    except (OSError, ValueError) as error:
        raise DocumentError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    raise DocumentError(f"{name} changes while it is being read: wait until it is finished, or use a copy")


def read_stdin() -> bytes:
    """Read all of standard input.

    Raises:
        DocumentError: It is too large or cannot be read.
    """
    try:
        return bounded(sys.stdin.buffer.read, "standard input")
    except OSError as error:
        raise DocumentError(f"standard input cannot be read: {error.strerror or error}") from error


def bounded(read: Callable[[int], bytes], name: str, size: int = 0) -> bytes:
    """Read to the end, or refuse as soon as it is clear that there is too much.

    Args:
        read: returns up to so many bytes, none at the end.
        name: of the document, for the error.
        size: how many bytes there should be, 0 if unknown.

    Raises:
        DocumentError: There are more bytes than the format may have.
    """
    head = b""
    while len(head) < formats.SIGNATURE_WITHIN and (block := read(_BLOCK_BYTES)):
        head += block
    most, length, blocks = formats.limit(head), len(head), [head]
    while max(size, length) <= most and (block := read(_BLOCK_BYTES)):
        blocks.append(block)
        length += len(block)
    if max(size, length) > most:
        raise formats.too_large(name, most)
    return b"".join(blocks)


def _version(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_size, facts.st_mtime_ns
