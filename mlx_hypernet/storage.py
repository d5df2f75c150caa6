"""Tensors on disk: read whole or refused; a crash while writing leaves the old file or the new."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import mlx.core as mx

from mlx_hypernet.format.atomic import replacing

# Names of dtypes in a safetensors header.
_NAMES = {
    mx.float32: "F32",
    mx.float16: "F16",
    mx.bfloat16: "BF16",
    mx.uint32: "U32",
    mx.int32: "I32",
    mx.uint8: "U8",
}
# Kimi K2 has 138,240 matrices and scales of experts in all its files (60 layers, 384 experts); a million take a minute.
_MOST_TENSORS = 200_000

# Name -> (shape, dtype) of every tensor of a file.
Layout = dict[str, tuple[tuple[int, ...], mx.Dtype]]


class DamagedFileError(Exception):
    """A file of tensors that is missing, truncated or no safetensors."""


@dataclass(frozen=True)
class TensorInfo:
    """What a safetensors header says about a tensor: its dtype by the format's name (`BF16`), and its shape."""

    dtype: str
    shape: tuple[int, ...]


def write_tensors(path: Path, tensors: Mapping[str, mx.array], metadata: dict[str, str] | None = None) -> None:
    """Write `tensors` as safetensors; `path` ends in `.safetensors`."""
    with replacing(path) as temporary:
        mx.save_safetensors(str(temporary), dict(tensors), {"format": "mlx"} | (metadata or {}))


def write_stream(
    path: Path,
    layout: Layout,
    tensors: Iterable[tuple[str, mx.array]],
    metadata: dict[str, str] | None = None,
) -> None:
    """Write safetensors one tensor after the other: no more than one of them need exist at a time.

    Args:
        path: of the file.
        layout: name -> (shape, dtype) of every tensor.
        tensors: (name, tensor) in any order, each name of `layout` once.
        metadata: goes into the header.

    Raises:
        ValueError: when a tensor is not in the layout, comes twice or never, or has another shape or dtype.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "mlx"} | (metadata or {})}
    end = 0
    for name, (shape, dtype) in layout.items():
        begin, end = end, end + math.prod(shape) * dtype.size
        header[name] = {"dtype": _NAMES[dtype], "shape": list(shape), "data_offsets": [begin, end]}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    start = 8 + len(encoded)
    missing = set(layout)
    with replacing(path) as temporary:
        with temporary.open("wb") as file:
            file.write(len(encoded).to_bytes(8, "little") + encoded)
            for name, tensor in tensors:
                if name not in missing or (tensor.shape, tensor.dtype) != layout[name]:
                    raise ValueError(f"{name} {tensor.shape} {tensor.dtype} is not expected in {path.name}")
                missing.remove(name)
                file.seek(start + header[name]["data_offsets"][0])
                file.write(memoryview(cast(Any, tensor.flatten().view(mx.uint8))))
        if missing:
            raise ValueError(f"{path.name} lacks {', '.join(sorted(missing))}")


def read_header(path: Path) -> dict[str, TensorInfo]:
    """What a safetensors file holds, after checking that its header and its length agree.

    Raises:
        DamagedFileError: when the file is missing, truncated, or something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            if len(file.keys()) > _MOST_TENSORS:
                raise DamagedFileError(f"{path} holds more than {_MOST_TENSORS:,} tensors, which no model has")
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            return {name: TensorInfo(part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    except (OSError, SafetensorError) as error:
        raise DamagedFileError(f"{path} is missing or damaged ({error})") from error


def open_tensors(path: Path) -> tuple[dict[str, mx.array], dict[str, str]]:
    """Open safetensors: tensors that are read when they are first computed with, and the metadata.

    Raises:
        DamagedFileError: when the file is missing, truncated, or something else.
    """
    read_header(path)  # mx.load believes what a header says
    try:
        return cast(Any, mx.load(str(path), return_metadata=True))
    except (OSError, RuntimeError, ValueError) as error:
        raise DamagedFileError(f"{path} is missing or damaged ({error})") from error


def read_tensors(path: Path) -> tuple[dict[str, mx.array], dict[str, str]]:
    """Read safetensors into memory: the tensors, and the metadata.

    Raises:
        DamagedFileError: when the file is missing, truncated, or something else.
    """
    tensors, metadata = open_tensors(path)
    mx.eval(mx.zeros(1))  # in a thread that may not use MLX this fails, and the file is not to blame
    try:
        mx.eval(tensors)
    except RuntimeError as error:
        raise DamagedFileError(f"{path} cannot be read ({error})") from error
    return tensors, metadata
