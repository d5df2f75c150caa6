"""Pages of a document's stored text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thoth.errors import DocumentError, UsageError

if TYPE_CHECKING:
    from thoth.library.library import Library
    from thoth.library.records import StoredDocument


def text(library: Library, stored: StoredDocument, first: int, last: int) -> str:
    """Return the text of some pages; a format without pages has chunks.

    Args:
        library: with the document.
        stored: the document.
        first: number of the first page, from 1.
        last: number of the last one.

    Raises:
        UsageError: There can be no such pages.
        DocumentError: Nothing is on them.
    """
    if not 1 <= first <= last:
        raise UsageError(f"pages {first} to {last} make no sense; the first page is 1")
    document = library.document(stored.id)
    if document.pages:
        blocks = [block for block in document.blocks if block.page is not None and first <= block.page <= last]
        found = "\n".join(document.text[block.start : block.end] for block in blocks)
    else:
        found = "\n".join(chunk.text for chunk in library.chunks(stored.id)[first - 1 : last])
    if not found.strip():
        raise DocumentError(f"no text on these pages; the document has {document.pages or stored.chunks}")
    return found
