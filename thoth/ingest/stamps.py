"""What a file was when it was read, by its content: a clock may be set back, and a copy may bring an old time along."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_MOST_BYTES = 1 << 30  # no reader takes a file as large as this
_MOST_NAMES = 20_000  # of a folder that is searched, or that is one document


@dataclass(frozen=True)
class Stamp:
    """A version of a file, or of a folder that is one document.

    Attributes:
        size: in bytes.
        sha256: of its bytes, in hex.
        changed: when bytes and facts last changed and which file it was, in the words of the file system. Where all of
            that is the same the bytes are not read again; it never decides that they differ.
    """

    size: int
    sha256: str
    changed: str

    def is_of(self, other: Stamp) -> bool:
        """Return whether both have the same content."""
        return (self.size, self.sha256) == (other.size, other.sha256)

    def to_json(self) -> str:
        """Write it for the library."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Stamp:
        """Read what `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        return cls(**values)


def of(path: Path, known: Stamp | None = None) -> Stamp | None:
    """Return the stamp of a file as it is now, or None where it cannot be read or is larger than any document.

    Args:
        path: a file, or a folder that is one document.
        known: an earlier stamp; its checksum is taken over where nothing tells that the file was written since.
    """
    try:
        facts = path.stat()
        if path.is_dir():
            return _of_folder(path)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MOST_BYTES:
            return None
        changed = f"{facts.st_mtime_ns} {facts.st_ctime_ns} {facts.st_dev}:{facts.st_ino}"
        if known is not None and (known.size, known.changed) == (facts.st_size, changed):
            return known
        with path.open("rb") as file:
            return Stamp(facts.st_size, hashlib.file_digest(file, "sha256").hexdigest(), changed)
    except (OSError, ValueError):
        return None


def elsewhere(path: Path, known: Stamp) -> Path | None:
    """Return the file in the folder of `path` that has the content of `known`: the file after it was renamed."""
    try:
        with os.scandir(path.parent) as entries:
            near = [entry.path for entry, _ in zip(entries, range(_MOST_NAMES), strict=False) if _may_be(entry, known)]
    except OSError:
        return None
    found = ((Path(place), of(Path(place))) for place in sorted(near))
    return next((place for place, stamp in found if stamp is not None and stamp.is_of(known)), None)


def _may_be(entry: os.DirEntry[str], known: Stamp) -> bool:
    try:
        return entry.is_file() and entry.stat().st_size == known.size
    except OSError:
        return False


def _of_folder(folder: Path) -> Stamp | None:
    size, digest = 0, hashlib.sha256()
    for number, path in enumerate(_inside(folder)):
        size += path.stat().st_size
        if number >= _MOST_NAMES or size > _MOST_BYTES:
            return None
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder)}\0{content}\0".encode(errors="surrogateescape"))
    return Stamp(size, digest.hexdigest(), "")


def _inside(folder: Path) -> Iterator[Path]:
    """The files below a folder in a fixed order, without links."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for path in (Path(place, name) for name in sorted(names)):
            if path.is_file() and not path.is_symlink():
                yield path
