"""Documents, chunks and adapters for the library's tests: no model is needed to keep them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from thoth.ingest import Block, Document
from thoth.ingest.chunks import Chunk
from thoth.library.library import Library
from thoth.library.records import StoredDocument

if TYPE_CHECKING:
    from mlx_hypernet.adapter import ChunkAdapters

BUNDLE = "0123456789ab"
LAYERS, RANK, D_IN, D_OUT, FEATURES = 3, 2, 8, 4, 5


def document(sentences: Sequence[str], name: str = "note.pdf") -> Document:
    """A document of one sentence a page."""
    text, blocks = "", []
    for page, sentence in enumerate(sentences, 1):
        blocks.append(Block("paragraph", len(text), len(text) + len(sentence), ("Notes", f"Page {page}"), page))
        text += sentence + "\n\n"
    return Document(name, text.strip(), len(sentences), tuple(blocks))


def chunks(document: Document) -> list[Chunk]:
    """One chunk for each block."""
    spans = [(block, document.text[block.start : block.end]) for block in document.blocks]
    return [
        Chunk([1, *range(len(text.split())), 2], text, (block.page or 1, block.page or 1), block.headings, block.start)
        for block, text in spans
    ]


def adapters(numbers: Sequence[int]) -> ChunkAdapters:
    """Adapters that say which chunk they are of: every weight is its number."""
    import mlx.core as mx

    from mlx_hypernet.adapter import ChunkAdapters

    def filled(size: int) -> mx.array:
        return mx.broadcast_to(mx.array(numbers, mx.float32).reshape(-1, 1, 1, 1), (len(numbers), LAYERS, RANK, size))

    return ChunkAdapters(
        A={"down_proj": filled(D_IN)},
        B={"down_proj": -filled(D_OUT)},
        bias_A={"down_proj": mx.ones((LAYERS, RANK, D_IN))},
        bias_B={"down_proj": mx.zeros((LAYERS, RANK, D_OUT))},
        scale=4.0,
    )


def features(numbers: Sequence[int]) -> NDArray[np.float32]:
    return np.outer(np.array(numbers, np.float32) + 1, np.arange(FEATURES, dtype=np.float32))


def begin(library: Library, document: Document, source: str | None = None, bundle: str = BUNDLE) -> StoredDocument:
    return library.begin(document, bundle, "meaning", chunks(document), source)


def absorb(library: Library, document: Document, source: str | None = None, bundle: str = BUNDLE) -> StoredDocument:
    """Absorb a document whole, two chunks at a time."""
    stored = begin(library, document, source, bundle)
    missing = library.missing(stored.id)
    while missing:
        numbers, missing = missing[:2], missing[2:]
        stored = library.store(stored.id, numbers, adapters(numbers), features(numbers))
    return stored
