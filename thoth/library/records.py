"""What the library says about the documents and chunks it keeps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

State = Literal["absorbing", "ready", "stale"]

_ID_DIGITS = 16


class ChunkRef(NamedTuple):
    """Names a chunk: the id of its document, and its number there, from 0."""

    document: str
    number: int


@dataclass(frozen=True)
class Receipt:
    """What the database remembers about a file of adapters: its size in bytes and its SHA-256."""

    size: int
    sha256: bytes


@dataclass(frozen=True)
class StoredDocument:
    """A document in the library.

    Attributes:
        id: stands for its text, the bundle and the chunking together.
        name: what people call it, safe to show on a terminal.
        source: absolute path or address it was read from; None for standard input and plain text.
        bundle: id of the bundle that absorbed it.
        chunking: "meaning" or "tokens".
        complete: every chunk is absorbed.
        active: its chunks may be attached when a question is asked.
        pages: number of pages, or None for a format without pages.
        chunks: number of chunks.
        absorbed: number of chunks that are absorbed.
        tokens: tokens the chunks have together, the template's around each of them included.
        bytes: size of its adapters on disk.
        added: when it came into the library, in UTC.
        of_chat: it was absorbed for a chat: it is not listed, and goes with the last chat that it belongs to.
        loss: of the base on its text, nats a token; None if it was not measured.
        readable: whether that is as low as in texts that the base can read; None if it was not measured.
        collections: names of the collections that it is in, in alphabetical order.
    """

    id: str
    name: str
    source: str | None
    bundle: str
    chunking: str
    complete: bool
    active: bool
    pages: int | None
    chunks: int
    absorbed: int
    tokens: int
    bytes: int
    added: datetime
    of_chat: bool = False
    loss: float | None = None
    readable: bool | None = None
    collections: tuple[str, ...] = ()

    def is_of(self, bundle: str) -> bool:
        """Return whether a bundle, by its id, absorbed it."""
        return self.bundle in known_as(bundle)

    def state(self, bundle: str | None) -> State:
        """Return what a bundle can do with it; None stands for any bundle.

        "ready": answer questions; "absorbing": absorb the chunks that are missing; "stale": nothing, another
        bundle absorbed it, and it must be absorbed again.
        """
        if bundle is not None and not self.is_of(bundle):
            return "stale"
        return "ready" if self.complete else "absorbing"


@dataclass(frozen=True)
class StoredChunk:
    """A chunk's text and where it is.

    Attributes:
        ref: names it.
        text: what it says.
        pages: first and last page, from 1, or None where there are no pages.
        headings: the headings that all of it is under, outermost first.
        start: where it begins in the document's text.
        tokens: its length, the template's tokens around it included.
    """

    ref: ChunkRef
    text: str
    pages: tuple[int, int] | None
    headings: tuple[str, ...]
    start: int
    tokens: int


def known_as(bundle: str) -> tuple[str, ...]:
    """Return the ids that a library may know a bundle by: its own and that of Thoth 0.1, which named the weights alone.

    A bundle's id is a hash of its weights, a hyphen, and a hash of its configuration (`mlx_hypernet.identity`).
    """
    weights, hyphen, _ = bundle.partition("-")
    return (bundle, weights) if hyphen else (bundle,)


def document_ids(sha256: str, bundle: str, chunking: str) -> list[str]:
    """Return the ids that a text may have, the one that it gets today first; see `document_id`."""
    return [document_id(sha256, name, chunking) for name in known_as(bundle)]


def document_id(sha256: str, bundle: str, chunking: str) -> str:
    """Return the id of a text, by its SHA-256, absorbed with a bundle and cut in one of the two ways."""
    return hashlib.sha256(f"{sha256} {bundle} {chunking}".encode()).hexdigest()[:_ID_DIGITS]
