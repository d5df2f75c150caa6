"""Documents that are behind the times: changed on disk, absorbed by another model, or not absorbed to their end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from thoth import ingest
from thoth.ingest import Document
from thoth.library.library import Library
from thoth.library.records import StoredDocument

Reason = Literal["changed", "stale", "unfinished"]


@dataclass(frozen=True)
class Update:
    """What is to be absorbed in place of a document; `Library.supersede` then exchanges the two.

    Attributes:
        stored: the document as the library has it.
        text: what is to be absorbed.
        reason: why.
    """

    stored: StoredDocument
    text: Document
    reason: Reason


def find(library: Library, stored: StoredDocument, bundle: str, *, fetch: bool = False) -> Update | None:
    """Return what there is to do about a document, None where it is up to date.

    Args:
        library: where it is.
        stored: the document.
        bundle: id of the bundle that is in use.
        fetch: whether to fetch an address again, which nothing tells about a change of.

    Raises:
        DocumentError, NoTextError: Its source has changed and cannot be read.
    """
    before = library.document(stored.id)
    if stored.source is not None and (fetch if ingest.is_address(stored.source) else _touched(stored)):
        now = ingest.read(stored.source)
        if now.sha256 != before.sha256:
            return Update(stored, now, "changed")
    if stored.bundle != bundle:
        return Update(stored, before, "stale")
    return None if stored.complete else Update(stored, before, "unfinished")


def _touched(stored: StoredDocument) -> bool:
    """Tell whether the file was written, or another one put in its place, after the document was read.

    A file that is gone has not changed: what the library has of it stays.
    """
    assert stored.source is not None
    try:
        facts = os.stat(stored.source)
    except OSError:
        return False
    # The inode's own time besides: a file that is copied or moved here may bring an old one along.
    return max(facts.st_mtime, facts.st_ctime) >= stored.added.timestamp() - 1
