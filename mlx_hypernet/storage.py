"""Tensors and JSON on disk: read whole or refused; a crash while writing leaves the old file or the new."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import mlx.core as mx


class DamagedFileError(Exception):
    """A file of tensors that is missing, truncated or no safetensors."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`: it becomes `path` if the block succeeds, and vanishes if not."""
    # The name keeps its ending: mx.save_safetensors appends one where it is missing.
    temporary = path.with_name(f".{uuid.uuid4().hex}-{path.name}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write `data` as indented JSON."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_tensors(path: Path, tensors: dict[str, mx.array], metadata: dict[str, str] | None = None) -> None:
    """Write `tensors` as safetensors; `path` ends in `.safetensors`."""
    with replacing(path) as temporary:
        mx.save_safetensors(str(temporary), tensors, {"format": "mlx"} | (metadata or {}))


def read_tensors(path: Path) -> tuple[dict[str, mx.array], dict[str, str]]:
    """Read safetensors into memory: the tensors, and the metadata.

    Raises:
        DamagedFileError: when the file is missing, truncated, or something else.
    """
    try:
        tensors, metadata = cast(Any, mx.load(str(path), return_metadata=True))
        mx.eval(tensors)  # reading is lazy: a truncated file shows only now
    except (OSError, RuntimeError, ValueError) as error:
        raise DamagedFileError(f"{path} is missing or damaged ({error})") from error
    return tensors, metadata
