"""Absorbed documents on disk: `<home>/documents/<id>/`, one folder for each.

A folder holds the adapter in mlx-lm's own format, with a section `thoth` in its configuration, and the
per-chunk tensors it is composed of. It appears whole or not at all: it is written under another name, synced
and renamed. The id comes from the text and the bundle, so absorbing the same text twice is free.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thoth.errors import ResourceError, ThothError
from thoth.ingest import Document

if TYPE_CHECKING:
    import mlx.nn as nn

    from mlx_hypernet.adapter import ChunkAdapters

log = logging.getLogger(__name__)

_ADAPTER, _CONFIG, _CHUNKS = "adapters.safetensors", "adapter_config.json", "chunks.safetensors"
_PARTIAL = ".partial-"
_ID_DIGITS = 16


@dataclass(frozen=True)
class StoredDocument:
    """A document in the library.

    Attributes:
        id: stands for text and bundle together.
        name: the file's name.
        chunks: number of chunks the text was split into.
        tokens: tokens of the templated text before it was split.
        pages: number of pages, or None for a format without pages.
        folder: where its adapter is.
    """

    id: str
    name: str
    chunks: int
    tokens: int
    pages: int | None
    folder: Path


def document_id(document: Document, bundle_id: str) -> str:
    """Return the id of a document absorbed with a bundle."""
    return hashlib.sha256(f"{document.sha256} {bundle_id}".encode()).hexdigest()[:_ID_DIGITS]


class Library:
    """The absorbed documents in one folder, which is made when the first one is stored."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, document: Document, bundle_id: str) -> StoredDocument | None:
        """Return the stored document with this text, or None where there is none or it is damaged."""
        folder = self.folder / document_id(document, bundle_id)
        if not folder.exists():
            return None
        try:
            facts = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))["thoth"]
            if facts["chunks_sha256"] != _file_sha256(folder / _CHUNKS):
                raise ValueError(f"{_CHUNKS} has changed")
            (folder / _ADAPTER).stat()
            return StoredDocument(folder.name, document.name, facts["chunks"], facts["tokens"], facts["pages"], folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the stored copy of %s is damaged (%s): absorbing it again", document.name, error)
            return None

    def store(
        self, document: Document, bundle_id: str, chunks: ChunkAdapters, tokens: int, model: nn.Module
    ) -> StoredDocument:
        """Write a document's adapter and chunks; a damaged copy is replaced.

        Raises:
            ResourceError: The disk is full.
            ThothError: The library cannot be written.
        """
        final = self.folder / document_id(document, bundle_id)
        partial = self.folder / f"{_PARTIAL}{os.getpid()}-{final.name}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(self.folder)
            _require_space(self.folder, chunks)
            partial.mkdir()
            _write(partial, document, bundle_id, chunks, tokens, model)
            _replace(partial, final)
        except OSError as error:
            raise ThothError(
                f"cannot write to {self.folder} ({error.strerror}): mend its permissions or set THOTH_HOME"
            ) from error
        except RuntimeError as error:  # MLX has no other word for a disk that takes no more
            raise ResourceError(f"the adapter could not be written to {self.folder}: free some space") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return StoredDocument(final.name, document.name, chunks.num_chunks, tokens, document.pages, final)

    def chunks(self, stored: StoredDocument) -> ChunkAdapters:
        """Load the per-chunk tensors of a document.

        Raises:
            ThothError: They are gone or were damaged since the document was found.
        """
        from mlx_hypernet.adapter import AdapterError, load_chunks

        try:
            return load_chunks(stored.folder / _CHUNKS)
        except AdapterError as error:
            raise ThothError(f"{error}: absorb {stored.name} again") from error


def _require_space(folder: Path, chunks: ChunkAdapters) -> None:
    # Twice: once by chunk and once composed. MLX does not report a full disk as such, so ask before.
    sides = (chunks.A, chunks.B, chunks.bias_A, chunks.bias_B)
    needed = 2 * sum(tensor.nbytes for side in sides for tensor in side.values())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ResourceError(
            f"the adapter needs {needed >> 20} MB and {folder} has {free >> 20} MB left: free some space"
        )


def _write(
    folder: Path, document: Document, bundle_id: str, chunks: ChunkAdapters, tokens: int, model: nn.Module
) -> None:
    from mlx_hypernet.adapter import compose, save_adapter, save_chunks

    save_chunks(folder / _CHUNKS, chunks)
    facts = {
        "document_sha256": document.sha256,
        "bundle": bundle_id,
        "name": document.name,
        "chunks": chunks.num_chunks,
        "tokens": tokens,
        "pages": document.pages,
        "chunks_sha256": _file_sha256(folder / _CHUNKS),
    }
    save_adapter(folder, compose([chunks]), model, facts)


def _replace(partial: Path, final: Path) -> None:
    """Rename a finished folder; only an empty folder can be renamed over, so an old one steps aside first."""
    _sync(partial)
    if final.exists():
        aside = partial.with_name(partial.name + "-old")
        os.replace(final, aside)
        os.replace(partial, final)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        os.replace(partial, final)
    _sync(final.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(library: Path) -> None:
    """Remove the unfinished folders of processes that were killed."""
    for folder in library.glob(f"{_PARTIAL}*"):
        try:
            os.kill(int(folder.name.removeprefix(_PARTIAL).split("-")[0]), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (ValueError, PermissionError):
            continue


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
