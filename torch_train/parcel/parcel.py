"""`python -m torch_train.parcel pack`: a base and other files into numbered parts; `unpack` on the other side.

A parcel is a row of bytes that is cut into parts: first the files, then the tensors, each as `blocks.py` packs them.
`contents.json` beside the first part says where everything is, with SHA-256 of every part.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors import safe_open
from safetensors.numpy import save_file

from mlx_hypernet.format.atomic import appearing, replacing, write_json
from torch_train.errors import DataError
from torch_train.parcel import blocks
from torch_train.parcel.blocks import Packed

CONTENTS, WEIGHTS, BASE = "contents.json", "model.safetensors", "base"
_BASE_KINDS = (".json", ".jinja", ".txt", ".model")


def pack(files: Mapping[str, Path], folder: Path, room: int, base: Path | None = None) -> list[Path]:
    """Pack files, and a base, into `folder/1`, `folder/2`, ...

    Args:
        files: Name in the parcel -> file; names may have folders.
        folder: Where the parts go; a parcel that is there is replaced.
        room: Most bytes of a part.
        base: A base with its weights in one file of safetensors; None for files alone.

    Returns:
        The parts' folders.

    Raises:
        DataError: The base lacks a file, or no part has room for anything.
    """
    if room < 1:
        raise DataError(f"a part needs room for at least one byte, not {room}")
    found = {} if base is None else _base_files(base)
    contents: dict[str, Any] = {"files": [], "tensors": [], "parts": []}
    with appearing(folder) as partial:
        parts = _Parts(partial, room)
        for name, path in {**found, **files}.items():
            contents["files"].append({"name": name, "bytes": parts.add(zlib.compress(path.read_bytes(), 6))})
        for name, packed in () if base is None else _tensors(base / WEIGHTS):
            entry = {key: value for key, value in asdict(packed).items() if key != "streams"}
            contents["tensors"].append({"name": name, **entry, "bytes": [parts.add(one) for one in packed.streams]})
        contents["parts"] = parts.close()
        write_json(partial / "1" / CONTENTS, contents)
    return [folder / str(number + 1) for number in range(len(contents["parts"]))]


def _base_files(base: Path) -> dict[str, Path]:
    """Everything of a base but its weights: configuration, tokenizer, chat template."""
    found = {path.name: path for path in sorted(base.iterdir()) if path.is_file() and path.suffix in _BASE_KINDS}
    missing = sorted({"config.json", "tokenizer.json"} - found.keys())
    if missing:
        raise DataError(f"{base} has no {' and no '.join(missing)}: it is not a base in transformers' layout")
    return {f"{BASE}/{name}": path for name, path in found.items()}


def unpack(folder: Path, destination: Path) -> None:
    """Put a parcel's files into `destination`, and its base into `destination/base`.

    Weights that are there already are kept: a second call of a script costs nothing.

    Raises:
        DataError: Parts are missing or damaged.
    """
    contents, stream = _read(folder)
    for entry in contents["files"]:
        path = destination / _inside(entry["name"])
        with replacing(path) as partial:
            partial.write_bytes(zlib.decompress(stream.take(entry["bytes"])))
    place = destination / BASE / WEIGHTS
    if contents["tensors"] and not place.exists():
        tensors = {}
        for entry in contents["tensors"]:
            streams = tuple(stream.take(size) for size in entry["bytes"])
            tensors[entry["name"]] = blocks.unpack(
                Packed(entry["scheme"], tuple(entry["shape"]), entry["dtype"], streams)
            )
        with replacing(place) as partial:
            save_file(tensors, partial, metadata={"format": "pt"})


def _tensors(path: Path) -> Iterator[tuple[str, Packed]]:
    if not path.is_file():
        raise DataError(f"{path} is missing: a base in several files cannot be packed")
    with safe_open(path, framework="np") as weights:
        for name in sorted(weights.keys()):
            yield name, blocks.pack(weights.get_tensor(name))


class _Parts:
    """Writes bytes into one part after the other."""

    def __init__(self, folder: Path, room: int) -> None:
        self._folder, self._room = folder, room
        self._hashes: list[str] = []
        self._pending = bytearray()

    def add(self, data: bytes) -> int:
        """Append `data`, and return how long it is."""
        self._pending += data
        while len(self._pending) >= self._room:
            self._write(self._room)
        return len(data)

    def close(self) -> list[str]:
        """Write the rest; SHA-256 of every part."""
        if self._pending or not self._hashes:
            self._write(len(self._pending))
        return self._hashes

    def _write(self, size: int) -> None:
        data, self._pending = bytes(self._pending[:size]), self._pending[size:]
        place = self._folder / str(len(self._hashes) + 1)
        place.mkdir()
        (place / "part").write_bytes(data)
        self._hashes.append(hashlib.sha256(data).hexdigest())


class _Stream:
    """The bytes of all parts, from the first to the last."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = memoryview(data), 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        taken = bytes(self._data[self._at : self._at + size])
        if size < 0 or len(taken) != size:
            raise DataError("the parcel is shorter than its contents: pack it again")
        self._at += size
        return taken


def _read(folder: Path) -> tuple[dict[str, Any], _Stream]:
    path = folder / "1" / CONTENTS
    try:
        contents = json.loads(path.read_text("utf-8"))
        expected = list(contents["parts"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error}): carry {folder / '1'}") from error
    data = bytearray()
    for number, digest in enumerate(expected, 1):
        part = folder / str(number) / "part"
        if not part.is_file():
            raise DataError(f"{part} is missing: carry {part.parent} as well ({len(expected)} parts in all)")
        piece = part.read_bytes()
        if hashlib.sha256(piece).hexdigest() != digest:
            raise DataError(f"{part} is damaged: carry it again")
        data += piece
    return contents, _Stream(bytes(data))


def _inside(name: str) -> PurePosixPath:
    """A name of the parcel as a path that stays below its destination."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DataError(f"the parcel holds a file named {name!r}, which is refused")
    return path
