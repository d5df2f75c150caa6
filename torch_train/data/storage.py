"""Parquet tables that appear whole or not at all, and folders that one process writes to."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mlx_hypernet.format.atomic import remove_leftovers, replacing
from torch_train.errors import DataError, TrainingError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder until the block or the process ends, and remove what a killed process left in it.

    A disk without locks is used without one; leftovers stay there.

    Raises:
        TrainingError: Another process has locked it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainingError(f"another process writes to {folder}: stop it, or choose another folder") from error
        except OSError:
            yield
            return
        remove_leftovers(folder)
        yield
    finally:
        os.close(handle)


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
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path} is missing or not a complete parquet file: make it again") from error
    if not table.schema.equals(schema, check_metadata=False):
        raise DataError(f"{path} has the columns {', '.join(table.schema.names)}, not {', '.join(schema.names)}")
    return table
