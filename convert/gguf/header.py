"""The header of a GGUF file, with every size checked against the file before anything is allocated.

Layout (ggml's docs/gguf.md): magic, version, counts, key-value pairs, tensor infos, padding, tensor data.
The `gguf` package's reader trusts the counts in a file and builds an array object for every token of a vocabulary,
so the header has its own reader here; block sizes and dequantisation are the package's.
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from convert.base.shards import listed
from convert.errors import CheckpointError
from convert.source import GGUF_MAGIC

_VERSIONS = (2, 3)
_ALIGNMENT_KEY, _DEFAULT_ALIGNMENT = "general.alignment", 32
# Published files have about 50 pairs and at most a few thousand tensors; the largest vocabularies take 15 MB.
_MAX_COUNT, _MAX_HEADER, _MAX_NAME, _MAX_DIMENSIONS = 100_000, 256 << 20, 65_535, 4
# Value type -> numpy's, in the numbering of the format; strings and arrays apart.
_SCALARS = {
    0: "<u1",
    1: "<i1",
    2: "<u2",
    3: "<i2",
    4: "<u4",
    5: "<i4",
    6: "<f4",
    7: "?",
    10: "<u8",
    11: "<i8",
    12: "<f8",
}
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True)
class GgufTensor:
    """Where a tensor is and how it is stored.

    Attributes:
        type: the encoding.
        shape: in numpy's order, rows first.
        offset: of its first byte in the file.
        size: in bytes.
    """

    type: GGMLQuantizationType
    shape: tuple[int, ...]
    offset: int
    size: int


@dataclass(frozen=True)
class GgufFile:
    """A checked header.

    Attributes:
        path: of the file.
        metadata: key -> number, bool, string, list of strings, or numpy array of numbers.
        tensors: name -> place.
    """

    path: Path
    metadata: dict[str, Any]
    tensors: dict[str, GgufTensor]


def read_header(path: Path) -> GgufFile:
    """Read and check the header; no tensor is read.

    Raises:
        CheckpointError: when the file is missing, damaged, incomplete, or contradicts itself.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(path, data).read()
    except (OSError, ValueError) as error:  # mmap refuses an empty file with a ValueError
        raise CheckpointError(f"{path} cannot be read ({error}): download it again") from error


class _Reader:
    """Reads forward through the header; `position` never passes its end."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path = path
        self.data = data
        self.end = min(len(data), _MAX_HEADER)
        self.position = 0

    def read(self) -> GgufFile:
        if self.take(4) != GGUF_MAGIC:
            raise CheckpointError(f"{self.path} is not a GGUF file")
        (version,) = self.unpack("<I")
        if version not in _VERSIONS:
            raise CheckpointError(
                f"{self.path} is GGUF version {version}, or of a big-endian machine: get a file of version 2 or 3"
            )
        tensor_count, pair_count = self.unpack("<QQ")
        if max(tensor_count, pair_count) > _MAX_COUNT:
            raise self.damaged(f"its header claims {tensor_count} tensors and {pair_count} keys")
        metadata: dict[str, Any] = {}
        for _ in range(pair_count):
            key = self.string(_MAX_NAME)
            if key in metadata:
                raise self.damaged(f"the key {key!r} comes twice")
            (kind,) = self.unpack("<I")
            metadata[key] = self.value(kind, key)
        alignment = metadata.get(_ALIGNMENT_KEY, _DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1) or alignment > 1 << 20:
            raise self.damaged(f"{_ALIGNMENT_KEY} is {alignment!r}, not a power of two")
        infos = [self.tensor_info() for _ in range(tensor_count)]
        start = -(-self.position // alignment) * alignment
        return GgufFile(self.path, metadata, self.place(infos, start, alignment))

    def damaged(self, reason: str) -> CheckpointError:
        return CheckpointError(f"{self.path} is damaged: {reason}: download it again")

    def take(self, size: int) -> bytes:
        if size > self.end - self.position:
            raise self.damaged(
                f"{size} bytes are announced at byte {self.position}, where the header ends after {self.end}"
            )
        self.position += size
        return self.data[self.position - size : self.position]

    def unpack(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def string(self, longest: int = _MAX_HEADER) -> str:
        (length,) = self.unpack("<Q")
        if length > longest:
            raise self.damaged(f"a name of {length} bytes at byte {self.position}")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise self.damaged(f"the text before byte {self.position} is not UTF-8") from None

    def value(self, kind: int, key: str) -> Any:
        if kind == _STRING:
            return self.string()
        if kind in _SCALARS:
            return self.numbers(kind, 1)[0].item()
        if kind != _ARRAY:
            raise self.damaged(f"{key!r} has the unknown type {kind}")
        inner, count = self.unpack("<IQ")
        if inner == _STRING:
            if count > (self.end - self.position) // 8:
                raise self.damaged(f"{key!r} claims {count} strings")
            return [self.string() for _ in range(count)]
        if inner not in _SCALARS:
            raise self.damaged(f"{key!r} is an array of type {inner}, neither numbers nor strings")
        return self.numbers(inner, count)

    def numbers(self, kind: int, count: int) -> np.ndarray:
        dtype = np.dtype(_SCALARS[kind])
        return np.frombuffer(self.take(dtype.itemsize * count), dtype)

    def tensor_info(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self.string(_MAX_NAME)
        (dimensions,) = self.unpack("<I")
        if not 1 <= dimensions <= _MAX_DIMENSIONS:
            raise self.damaged(f"tensor {name!r} has {dimensions} dimensions")
        shape = self.unpack(f"<{dimensions}Q")
        kind, offset = self.unpack("<IQ")
        return name, tuple(reversed(shape)), kind, offset

    def place(
        self, infos: list[tuple[str, tuple[int, ...], int, int]], start: int, alignment: int
    ) -> dict[str, GgufTensor]:
        """Name -> tensor, after making sure that all are inside the file and apart from each other."""
        tensors: dict[str, GgufTensor] = {}
        for name, shape, number, offset in infos:
            if name in tensors:
                raise self.damaged(f"the tensor {name!r} comes twice")
            try:
                kind = GGMLQuantizationType(number)
            except ValueError:
                raise CheckpointError(f"{self.path}: tensor {name!r} has the unknown type {number}") from None
            block, block_bytes = GGML_QUANT_SIZES[kind]
            elements = math.prod(shape)
            if elements == 0 or shape[-1] % block or offset % alignment:
                raise self.damaged(f"tensor {name!r} of {kind.name}: shape {shape} at offset {offset}")
            size = elements // block * block_bytes
            if start + offset + size > len(self.data):
                raise self.damaged(f"tensor {name!r} {shape} of {kind.name} ends after the file")
            tensors[name] = GgufTensor(kind, shape, start + offset, size)
        by_place = sorted(tensors, key=lambda name: tensors[name].offset)
        shared = [
            second
            for first, second in pairwise(by_place)
            if tensors[first].offset + tensors[first].size > tensors[second].offset
        ]
        if shared:
            raise self.damaged(f"tensors overlap: {listed(shared)}")
        return tensors
