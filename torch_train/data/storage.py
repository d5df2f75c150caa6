"""Files that are whole or absent: written beside their place, flushed to disk, then moved there."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from torch_train.errors import DataError, TrainingError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`: it becomes `path` if the block succeeds, and vanishes if not.

    The temporary name is always the same, so that what a killed process leaves behind is written over.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder alone through the block, or to the end of a killed process; a disk without locks is not held.

    Raises:
        TrainingError: Another process holds it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise TrainingError(
                    f"another process is at work in {folder}: stop it, or choose another folder"
                ) from error
        yield
    finally:
        os.close(handle)


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write `data` as indented JSON."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table as parquet."""
    with replacing(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a parquet file that must have the columns of `schema`.

    Raises:
        DataError: The file is missing, no parquet, damaged, or has other columns.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} is missing or no whole parquet file: make it again") from error
    if not table.schema.equals(schema, check_metadata=False):
        raise DataError(f"{path} has the columns {', '.join(table.schema.names)}, not {', '.join(schema.names)}")
    return table
