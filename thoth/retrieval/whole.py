"""A question that asks for whole texts -> sentences of theirs: the adapters of a few chunks know no whole text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from thoth.events import Passage
from thoth.retrieval.summary import central

if TYPE_CHECKING:
    from thoth.events import Chosen
    from thoth.library.reading import LibraryReader

_DOCUMENTS = 2  # that are quoted


def quotes(library: LibraryReader, chosen: Sequence[Chosen]) -> tuple[Passage, ...]:
    """Quote the sentences that say what documents are about.

    Args:
        library: where they are.
        chosen: their chunks.

    Returns:
        Two sentences of each document, of two at most; none where these have no whole sentences.
    """
    named = list({one.document: one.name for one in chosen}.items())[:_DOCUMENTS]
    return tuple(passage for id, name in named for passage in _central(library, id, name))


def as_text(quotes: Sequence[Passage]) -> str:
    """Return quotes as an answer, a paragraph each: Markdown would join lines."""
    return "\n\n".join(f'"{" ".join(passage.quote.split())}"' for passage in quotes)


def _central(library: LibraryReader, id: str, name: str) -> Iterator[Passage]:
    document, chunks = library.document(id), list(library.chunks(id))
    for sentence in central(document):
        words = re.search(r"\s+".join(map(re.escape, sentence.split())), document.text)
        at = words.start() if words else 0
        chunk = chunks[max(0, bisect_right(chunks, at, key=lambda one: one.start) - 1)]
        page = next((block.page for block in reversed(document.blocks) if block.start <= at), None)
        yield Passage(id, name, chunk.ref.number, page, chunk.headings, sentence, 1.0)
