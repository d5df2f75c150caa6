"""The adapters of chunks in files: `documents/<id>/<number>.safetensors`, and the bias pair once for each bundle.

A file appears whole or not at all, and is on the disk before the database says that it exists.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from mlx_hypernet.format.atomic import flush
from thoth.library.records import ChunkRef, Receipt
from thoth.library.rounding import in_16_bits
from thoth.system import disk

if TYPE_CHECKING:
    import mlx.core as mx

    from mlx_hypernet.adapter import ChunkAdapters


@dataclass(frozen=True)
class Pairs:
    """The pairs of one chunk, or the bias pairs.

    Attributes:
        A, B: Module -> (L, r, d_in) and (L, r, d_out).
        scale: Their factor.
        first_layer: Block of the base that the first of the L layers is for.
    """

    A: dict[str, mx.array]
    B: dict[str, mx.array]
    scale: float
    first_layer: int = 0

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return sum(tensor.nbytes for side in (self.A, self.B) for tensor in side.values())


class DamagedError(Exception):
    """A file is missing, or is not what was written."""


def split(adapters: ChunkAdapters) -> tuple[list[Pairs], Pairs]:
    """Take the adapters of several chunks apart: the pairs of each, in 16 bits, and the bias pairs.

    These are stored once and stay as they are, so that what is composed of chunks keeps their type.
    """
    chunks = [
        Pairs(
            {name: in_16_bits(tensor[i]) for name, tensor in adapters.A.items()},
            {name: in_16_bits(tensor[i]) for name, tensor in adapters.B.items()},
            adapters.scale,
            adapters.first_layer,
        )
        for i in range(adapters.num_chunks)
    ]
    return chunks, Pairs(adapters.bias_A, adapters.bias_B, adapters.scale, adapters.first_layer)


def join(chunks: Sequence[Pairs], bias: Pairs) -> ChunkAdapters:
    """Put chunks together in their order; the opposite of `split`, but for what that rounded."""
    import mlx.core as mx

    from mlx_hypernet.adapter import ChunkAdapters

    return ChunkAdapters(
        A={name: mx.stack([chunk.A[name] for chunk in chunks]) for name in bias.A},
        B={name: mx.stack([chunk.B[name] for chunk in chunks]) for name in bias.B},
        bias_A=bias.A,
        bias_B=bias.B,
        scale=bias.scale,
        first_layer=bias.first_layer,
    )


def _read(path: Path, expected: Receipt, verify: bool) -> Pairs:
    """Read what was written.

    Args:
        path: The file.
        expected: Its receipt.
        verify: Compare its checksum, besides its size.

    Raises:
        DamagedError: It is missing or damaged.
    """
    from mlx_hypernet.storage import DamagedFileError, read_tensors

    sides: Mapping[str, dict[str, mx.array]] = {"A": {}, "B": {}}
    try:
        if path.stat().st_size != expected.size:
            raise DamagedError(f"{path.name} has another size than it was written with")
        if verify and receipt(path) != expected:
            raise DamagedError(f"{path.name} is not what was written: its checksum differs")
        tensors, metadata = read_tensors(path)
        for name, tensor in tensors.items():
            sides[name[0]][name[2:]] = tensor
        first = int(metadata.get("first_layer", 0))  # files from before have none
        return Pairs(sides["A"], sides["B"], float(metadata["scale"]), first)
    except (OSError, KeyError, ValueError, DamagedFileError) as error:
        raise DamagedError(str(error)) from error


def receipt(path: Path) -> Receipt:
    """Return the receipt for a file as it is now."""
    with path.open("rb") as file:
        return Receipt(path.stat().st_size, hashlib.file_digest(file, "sha256").digest())


class AdapterFiles:
    """The files of one library, and those used last in memory.

    Args:
        folder: `documents/`; need not exist.
        recent_bytes: pairs that are kept in memory.
    """

    def __init__(self, folder: Path, recent_bytes: int) -> None:
        self.folder = folder
        self._recent = _Recent(recent_bytes)
        # Files whose checksum was right in this process, with the time of their last change.
        self._verified: dict[Path, int] = {}

    def path(self, ref: ChunkRef) -> Path:
        """Return the file of a chunk."""
        return self.folder / ref.document / f"{ref.number:05}.safetensors"

    def bias_path(self, bundle: str) -> Path:
        """Return the file of a bundle's bias pairs."""
        return self.folder / f"bias-{bundle}.safetensors"

    def chunk(self, ref: ChunkRef, expected: Receipt) -> Pairs:
        """Return the pairs of a chunk.

        Raises:
            DamagedError: Its file is missing or damaged.
        """
        key = (ref.document, ref.number, expected.sha256)
        return self._recent.get(key, lambda: self._verify(self.path(ref), expected))

    def bias(self, bundle: str, expected: Receipt | None) -> Pairs:
        """Return the bias pairs of a bundle.

        Raises:
            DamagedError: Their file is missing or damaged.
        """
        path = self.bias_path(bundle)
        if expected is None:
            raise DamagedError(f"{path.name} is missing")
        return self._recent.get((bundle, 0, expected.sha256), lambda: self._verify(path, expected))

    def _verify(self, path: Path, expected: Receipt) -> Pairs:
        """Read a file, and compare its checksum the first time in this process, or after it was changed."""
        try:
            changed = path.stat().st_mtime_ns
        except OSError as error:
            raise DamagedError(f"{path.name} is missing") from error
        pairs = _read(path, expected, verify=self._verified.get(path) != changed)
        self._verified[path] = changed
        return pairs

    def writer(self, document: str) -> Writer:
        """Return what writes the files of a document; the caller holds the database's write lock."""
        return Writer(self, document)

    def remove(self, document: str) -> None:
        """Remove the files of a document; the caller holds the database's write lock."""
        self._recent.forget(document)
        shutil.rmtree(self.folder / document, ignore_errors=True)


class Writer:
    """Writes some files of a document, and takes them back when their rows cannot be written."""

    def __init__(self, files: AdapterFiles, document: str) -> None:
        self._files, self._document = files, document
        self._written: list[Path] = []

    def require_room(self, pairs: Sequence[Pairs]) -> None:
        """Make the folder, and raise `ResourceError` if so much does not fit."""
        folder = self._files.folder / self._document
        disk.make_private_folder(folder)
        disk.require_room(folder, sum(each.nbytes for each in pairs))

    def write_chunk(self, number: int, pairs: Pairs) -> Receipt:
        """Write the pairs of a chunk.

        Raises:
            ResourceError: The disk is full.
        """
        return self._write(self._files.path(ChunkRef(self._document, number)), pairs)

    def write_bias(self, bundle: str, pairs: Pairs) -> Receipt:
        """Write the bias pairs of a bundle.

        Raises:
            ResourceError: The disk is full.
        """
        return self._write(self._files.bias_path(bundle), pairs)

    def sync(self) -> None:
        """Make the names of the files durable, as their contents are already."""
        folder = self._files.folder
        for place in (folder / self._document, folder, folder.parent):
            flush(place)

    def take_back(self) -> None:
        """Remove what was written."""
        for path in self._written:
            path.unlink(missing_ok=True)

    def _write(self, path: Path, pairs: Pairs) -> Receipt:
        from mlx_hypernet.storage import write_tensors

        tensors = {f"A.{name}": x for name, x in pairs.A.items()} | {f"B.{name}": x for name, x in pairs.B.items()}
        self._written.append(path)
        try:
            write_tensors(path, tensors, {"scale": repr(pairs.scale), "first_layer": str(pairs.first_layer)})
        except RuntimeError as error:  # MLX has no other word for a disk that takes no more
            raise disk.full(path.parent) from error
        path.chmod(0o600)
        return receipt(path)


_Key = tuple[str, int, bytes]  # document or bundle, number, checksum


class _Recent:
    """The pairs used last, up to a number of bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._held = most_bytes, 0
        self._pairs: OrderedDict[_Key, Pairs] = OrderedDict()
        self._lock = Lock()

    def get(self, key: _Key, load: Callable[[], Pairs]) -> Pairs:
        """Return what is held under a key, loaded if it is not."""
        with self._lock:
            if key in self._pairs:
                self._pairs.move_to_end(key)
                return self._pairs[key]
        pairs = load()
        with self._lock:
            if key not in self._pairs:
                self._pairs[key] = pairs
                self._held += pairs.nbytes
            while self._held > self._most:
                self._held -= self._pairs.popitem(last=False)[1].nbytes
        return pairs

    def forget(self, owner: str) -> None:
        """Drop what is held of a document."""
        with self._lock:
            for key in [key for key in self._pairs if key[0] == owner]:
                self._held -= self._pairs.pop(key).nbytes
