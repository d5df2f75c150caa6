"""The weights of a Hugging Face folder: one safetensors file, or shards and their index; opened lazily."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx

from convert.errors import CheckpointError
from mlx_hypernet.storage import DamagedFileError, TensorInfo, open_tensors, read_header

SINGLE_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
_SHOWN = 5


@dataclass(frozen=True)
class Shards:
    """Weights on disk, all there and readable.

    Attributes:
        tensors: name -> what the header says about it.
        places: name -> the file that holds it.
    """

    tensors: dict[str, TensorInfo]
    places: dict[str, Path]

    @property
    def files(self) -> list[Path]:
        """The files, each once."""
        return sorted(set(self.places.values()))

    def open(self) -> dict[str, mx.array]:
        """Every tensor, read from disk when it is first computed with; FP8 comes as raw bytes (uint8).

        Raises:
            CheckpointError: when MLX does not know a dtype.
        """
        try:
            opened = {path: open_tensors(path)[0] for path in self.files}
        except DamagedFileError as error:
            raise CheckpointError(str(error)) from error
        return {name: opened[path][name] for name, path in self.places.items()}


def find_shards(folder: Path) -> Shards:
    """Find and check the weights of `folder`; no tensor is read.

    Raises:
        CheckpointError: naming everything that is missing, damaged, contradictory, or outside the folder.
    """
    faults: list[str] = []
    if (folder / SINGLE_FILE).exists():
        expected: dict[str, str] | None = None
        names = [SINGLE_FILE]
    elif (folder / INDEX_FILE).exists():
        expected = _read_index(file_in(folder, INDEX_FILE), faults)
        names = sorted(set(expected.values()))
    else:
        raise CheckpointError(f"{folder} holds neither {SINGLE_FILE} nor {INDEX_FILE}: nothing to convert")
    headers = {name: header for name in names if (header := _header(folder, name, faults)) is not None}
    if expected is None:
        expected = dict.fromkeys(headers.get(SINGLE_FILE, {}), SINGLE_FILE)
    absent = [name for name, shard in expected.items() if shard in headers and name not in headers[shard]]
    if absent:
        faults.append(f"the index names tensors that their shards do not hold: {listed(absent)}")
    held = Counter(name for header in headers.values() for name in header)
    if doubled := [name for name, times in held.items() if times > 1]:
        faults.append(f"several shards hold {listed(doubled)}")
    if faults:
        raise CheckpointError(f"the weights in {folder} are not usable: {'; '.join(faults)}: download them again")
    tensors = {name: headers[shard][name] for name, shard in expected.items()}
    paths = {shard: file_in(folder, shard) for shard in headers}
    return Shards(tensors, {name: paths[shard] for name, shard in expected.items()})


def file_in(folder: Path, name: str) -> Path:
    """The path of `name`, a file directly in `folder`.

    A link must end in the folder too; in a snapshot of the hub's cache
    (`models--owner--name/snapshots/REVISION`) it may end in that repository's `blobs`, where the cache keeps
    every file.

    Raises:
        CheckpointError: when the file is, or would be, somewhere else.
    """
    root = folder.resolve()
    allowed = [root]
    if root.parent.name == "snapshots":
        allowed.append(root.parent.parent / "blobs")
    if name != Path(name).name or "\0" in name or "\\" in name:
        raise CheckpointError(f"{name!r} is outside of {folder}")
    if (root / name).resolve().parent not in allowed:
        raise CheckpointError(f"{name!r} leads out of {folder}")
    return root / name


def listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _read_index(path: Path, faults: list[str]) -> dict[str, str]:
    """Tensor name -> shard's file name."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        times = Counter(key for key, _ in pairs)
        if doubled := [key for key in times if times[key] > 1]:
            faults.append(f"the index names twice: {listed(doubled)}")
        return dict(pairs)

    try:
        index = json.loads(path.read_text("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    shards = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(shards, dict) or not shards or not all(isinstance(shard, str) for shard in shards.values()):
        raise CheckpointError(f"{path} is no index of safetensors: it has no weight_map of file names")
    return shards


def _header(folder: Path, name: str, faults: list[str]) -> dict[str, TensorInfo] | None:
    try:
        path = file_in(folder, name)
        if not path.is_file():
            faults.append(f"{name} is missing")
            return None
        return read_header(path)
    except (CheckpointError, DamagedFileError) as error:
        faults.append(str(error))
        return None
