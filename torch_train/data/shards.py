"""A folder of parquet shards that a killed run resumes with, and the manifest that says what they were made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from mlx_hypernet.format.atomic import write_json
from torch_train.data.storage import write_table
from torch_train.errors import DataError

MANIFEST = "manifest.json"
T = TypeVar("T")


class Shards:
    """Shards on disk. One that is there is whole: it appears under its name when all of it is written.

    Args:
        folder: Where they are.
        manifest: What they are made from; `shards` is their number.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder, self.manifest = folder, manifest
        self.count: int = manifest["shards"]

    @classmethod
    def open(
        cls, folder: Path, manifest: dict[str, Any], about: dict[str, Any], defaults: dict[str, Any] | None = None
    ) -> Shards:
        """Begin a folder of shards, or resume one that was made from the same inputs.

        Args:
            folder: Where they are, or will be.
            manifest: Everything that the shards depend on.
            about: What a person may want to know besides; kept in the manifest, and never compared.
            defaults: What settings were that did not exist when a folder was begun.

        Raises:
            DataError: The folder was begun from something else.
        """
        if (folder / MANIFEST).exists():
            refuse_other(folder, manifest, defaults or {})
        else:
            write_json(folder / MANIFEST, manifest | {"about": about})
        return cls(folder, manifest)

    @classmethod
    def read(cls, folder: Path) -> Shards:
        """The shards of a folder that is complete.

        Raises:
            DataError: There are none, or some are missing.
        """
        shards = cls(folder, read_manifest(folder))
        missing = shards.missing()
        if missing:
            raise DataError(f"{folder}: {len(missing)} of {shards.count} shards are missing: run its command again")
        return shards

    def path(self, index: int) -> Path:
        """File of one shard."""
        return self.folder / f"shard-{index:05d}-of-{self.count:05d}.parquet"

    def missing(self) -> list[int]:
        """The shards that are still to be made."""
        return [index for index in range(self.count) if not self.path(index).exists()]

    def remaining(
        self, rows: Sequence[T], per_shard: int, share: tuple[int, int] = (0, 1)
    ) -> Iterator[tuple[int, Sequence[T]]]:
        """The shards that are still to be made, each with its part of `rows`.

        Args:
            rows: Of all shards.
            per_shard: Rows of a shard.
            share: (i, n): every n-th shard from number i on, for one of n processes.
        """
        for index in self.missing():
            if index % share[1] == share[0]:
                yield index, rows[index * per_shard : (index + 1) * per_shard]

    def rows(self, index: int) -> int:
        """How many rows a shard has."""
        return int(pq.read_metadata(self.path(index)).num_rows)

    def write(self, index: int, table: pa.Table) -> None:
        """Write one shard, whole or not at all."""
        write_table(self.path(index), table)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder of shards.

    Raises:
        DataError: There is none, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or type(found.get("shards")) is not int:
            raise ValueError("no number of shards")
        if not isinstance(found.get("settings", {}), dict):
            raise ValueError("settings that are no object")
        return found
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is missing or damaged: {folder} is not a folder of shards") from error


def refuse_other(folder: Path, expected: dict[str, Any], defaults: dict[str, Any] | None = None) -> None:
    """Compare a folder's manifest with what is expected of it; what it lacks is taken from `defaults`.

    Raises:
        DataError: They differ; says in what, fingerprints shortened.
    """
    found = read_manifest(folder)
    there, here = (defaults or {}) | _flat(found), _flat(json.loads(json.dumps(expected)))
    differences = [
        f"{key} is {_short(there.get(key))} there, {_short(value)} here"
        for key, value in here.items()
        if there.get(key) != value
    ]
    if differences:
        raise DataError(f"{folder} was made from something else: {'; '.join(differences)}. Choose another folder")


def _flat(manifest: dict[str, Any]) -> dict[str, Any]:
    """Settings by themselves, so that a message names the one that differs."""
    settings = manifest.get("settings", {})
    return {key: value for key, value in manifest.items() if key != "settings"} | settings


def _short(value: Any) -> str:
    return value[:12] if isinstance(value, str) and len(value) == 64 else json.dumps(value)
