"""Documents that are out of date: changed on disk, absorbed by another model, or not completely absorbed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from thoth import ingest
from thoth.actions import requests
from thoth.actions.absorb import Absorption
from thoth.actions.sources import Failure, Source, permitted
from thoth.errors import DocumentError, NoTextError, exit_code
from thoth.events import Progress
from thoth.ingest import Document, stamps
from thoth.library.records import StoredDocument

if TYPE_CHECKING:
    from thoth.engine.engine import Engine
    from thoth.ingest.chunks import Chunking
    from thoth.library.library import Library

Reason = Literal["changed", "stale", "unfinished"]


@dataclass(frozen=True)
class Update:
    """A new version of a document.

    Attributes:
        stored: the document as the library has it.
        text: the text to absorb.
        reason: why.
    """

    stored: StoredDocument
    text: Document
    reason: Reason

    @property
    def absorption(self) -> Absorption:
        """What the engine gets; the new version is cut as the old one was."""
        chunking: Chunking = "tokens" if self.stored.chunking == "tokens" else "meaning"
        return Absorption(self.text, chunking, self.stored.source, replaces=self.stored)


@dataclass(frozen=True)
class Updated:
    """A document that was updated.

    Attributes:
        update: what was to be done.
        document: its new entry in the library.
    """

    update: Update
    document: StoredDocument


@dataclass
class Report:
    """What became of the documents.

    Attributes:
        done: those that were absorbed again.
        up_to_date: number of those that needed nothing.
        failed: those that stay as they were, by id.
    """

    done: list[Updated] = field(default_factory=list)
    up_to_date: int = 0
    failed: list[Failure] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 where nothing failed, the code that all errors share, or 1."""
        return exit_code(failure.error for failure in self.failed)


Listener = Callable[[StoredDocument, Progress | Updated | Failure], object]


def _no(_: Source) -> bool:
    return False


def find(
    library: Library,
    stored: StoredDocument,
    bundle: str,
    *,
    fetch: bool = False,
    ask: Callable[[Source], bool] = _no,
    recognize: bool = False,
) -> Update | None:
    """Return the new version of a document, or None where it is up to date.

    Args:
        library: where it is.
        stored: the document.
        bundle: id of the bundle in use.
        fetch: fetch a web page again; nothing else tells whether it changed.
        ask: called with an address of this machine or its own network; returns whether to fetch it.
        recognize: recognize text on scanned pages (OCR).

    Raises:
        DocumentError, NoTextError: The source has changed and cannot be read.
    """
    before = library.document(stored.id)
    source = stored.source
    if source is not None and (fetch if ingest.is_address(source) else _may_differ(library, stored, Path(source))):
        chosen = permitted(Source(source), ask, recognize=recognize)
        now = ingest.read(chosen.place, chosen.options)
        if now.sha256 != before.sha256:
            return Update(stored, now, "changed")
        if now.stamp is not None:  # other bytes, the same text
            library.set_source(stored.id, source, now.stamp)
    if not stored.is_of(bundle):
        return Update(stored, before, "stale")
    return None if stored.complete else Update(stored, before, "unfinished")


def _may_differ(library: Library, stored: StoredDocument, path: Path) -> bool:
    """Tell whether a file has other bytes than the document was read from, or nobody knows which those were.

    A file that was touched, or renamed in its folder, is noted as what it is now. One that is gone has not changed:
    what the library has of it stays.
    """
    known = library.stamp(stored.id)
    if not os.path.lexists(path):
        if known is not None and (place := stamps.elsewhere(path, known)):
            library.set_source(stored.id, str(place), stamps.of(place))
        return False
    now = stamps.of(path, known)
    if known is None or now is None or not now.is_of(known):
        return True  # a file that cannot be read is read to say why
    if now != known:
        library.set_source(stored.id, str(path), now)
    return False


def update(
    engine: Engine,
    library: Library,
    documents: Sequence[StoredDocument],
    listener: Listener,
    *,
    fetch: bool = False,
    ask: Callable[[Source], bool] = _no,
    recognize: bool = False,
) -> Report:
    """Bring documents up to date, one after the other; one that cannot be read is left unchanged.

    Args:
        engine: with a pair loaded.
        library: of the engine.
        documents: of the library.
        listener: gets each document with its progress, and at its end `Updated` or `Failure`; nothing for a document
            that is up to date. What it raises ends the run.
        fetch: fetch web pages again.
        ask: called with an address of this machine or its own network; returns whether to fetch it.
        recognize: recognize text on scanned pages (OCR).

    Raises:
        ThothError: An error that concerns all documents, a full disk for example.
    """
    report = Report()
    for stored in documents:
        try:
            found = find(library, stored, engine.bundle_id or "", fetch=fetch, ask=ask, recognize=recognize)
            if found is None:
                report.up_to_date += 1
                continue
            done = Updated(found, _absorb(engine, library, found, listener))
        except (DocumentError, NoTextError) as error:
            failure = Failure(stored.id, error)
            report.failed.append(failure)
            listener(stored, failure)
        else:
            report.done.append(done)
            listener(stored, done)
    return report


def complete(
    engine: Engine, library: Library, stored: StoredDocument, listener: Callable[[Progress], object]
) -> StoredDocument:
    """Absorb the chunks of a document that are missing, from its stored text.

    Args:
        engine: with the pair that absorbed the document loaded.
        library: of the engine.
        stored: the document.
        listener: gets the progress.

    Raises:
        DocumentError: The text is missing from the library.
    """
    found = Update(stored, library.document(stored.id), "unfinished")
    return _absorb(engine, library, found, lambda _, step: isinstance(step, Progress) and listener(step))


def _absorb(engine: Engine, library: Library, found: Update, listener: Listener) -> StoredDocument:
    task = found.absorption
    events = engine.absorb(task.document, chunking=task.chunking, source_name=task.source_name)
    absorbed = requests.document(
        events, lambda event: listener(found.stored, event) if isinstance(event, Progress) else None
    )
    return task.finish(library, absorbed)
