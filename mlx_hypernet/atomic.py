"""Files that are either the old ones or the new ones, whatever happens in between."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlx.core as mx


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes the place of `path` if the block succeeds, else it is removed."""
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
