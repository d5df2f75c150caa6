"""Sources -> documents of the library: what the engine gets for each, and where the result goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from thoth.actions import requests
from thoth.actions.sources import Failure, Source, Sources
from thoth.errors import DocumentError, NoTextError, Stopped, ThothError, exit_code
from thoth.events import Event, Progress
from thoth.ingest import Document
from thoth.library.records import StoredDocument

if TYPE_CHECKING:
    from thoth.engine.engine import Engine
    from thoth.ingest.chunks import Chunking
    from thoth.library.library import Library


@dataclass(frozen=True)
class Absorption:
    """One document for the engine, and its place in the library when it is absorbed.

    The first three are the arguments of `Engine.absorb`; when the engine reports `Absorbed`, call `finish`.

    Attributes:
        document: a path, an address, `-` for standard input, or a document that has been read.
        chunking: "meaning" or "tokens".
        source_name: the absolute path or address that the library notes, or None.
        replaces: an older version in the library.
    """

    document: Document | Path | str
    chunking: Chunking
    source_name: str | None = None
    replaces: StoredDocument | None = None

    def finish(self, library: Library, absorbed: StoredDocument) -> StoredDocument:
        """Activate a new document; a new version takes the name of the old one, and is active if that was.

        Returns:
            The document as the library has it now.

        Raises:
            DocumentError: It was removed in the meantime.
        """
        if self.replaces is None:
            library.activate([absorbed.id], True)  # it may be an inactive one, known from before
        else:
            library.supersede(self.replaces.id, absorbed.id)
        return library.get(absorbed.id)


@dataclass(frozen=True)
class Done:
    """A document that is absorbed.

    Attributes:
        document: its entry in the library.
        is_new: False where the library had it already.
    """

    document: StoredDocument
    is_new: bool


@dataclass
class Report:
    """The result of absorbing many sources.

    Attributes:
        done: the documents, in the order of their sources.
        failed: sources that could not be absorbed.
        skipped: number of files in folders that are of unsupported kinds.
        untried: number of sources after an error that concerns all of them, a full disk for example.
    """

    done: list[Done] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    skipped: int = 0
    untried: int = 0

    @property
    def exit_code(self) -> int:
        """0 where nothing failed, the code that all errors share, or 1."""
        return exit_code(failure.error for failure in self.failed)


class AbsorbError(ThothError):
    """Several sources could not be absorbed.

    Attributes:
        failed: their errors, by source.
        documents: what was absorbed of the others.
    """

    def __init__(self, report: Report) -> None:
        self.failed = {failure.source: failure.error for failure in report.failed}
        self.documents = [done.document for done in report.done]
        self.exit_code = report.exit_code
        super().__init__(f"could not absorb {len(self.failed)} sources: {'; '.join(map(str, self.failed.values()))}")


Step = Progress | Done | Failure
Listener = Callable[[Source, Step], object]


def new(source: Source, chunking: Chunking) -> Absorption:
    """Return what the engine gets for a source that a user chose."""
    place = Path(source.place) if source.is_local else source.place
    return Absorption(place, chunking, source.origin)


def absorb(engine: Engine, library: Library, sources: Sources, chunking: Chunking, listener: Listener) -> Report:
    """Absorb documents one after the other; one that cannot be read does not stop the others.

    Chunks that are absorbed always stay in the library: called again, it resumes there.

    Args:
        engine: with a pair loaded.
        library: of the engine.
        sources: as `sources.expand` or `sources.present` returns them; their failures are reported as well.
        chunking: how the documents are cut.
        listener: gets each source with its progress, and at its end `Done` or `Failure`. What it raises ends the run.

    Raises:
        Stopped: The engine was stopped.
    """
    report = Report(failed=[*sources.failed])
    for number, source in enumerate(sources.documents, 1):
        try:
            done = _absorb(engine, library, source, chunking, listener)
        except Stopped:
            raise
        except ThothError as error:
            if source.skips(error):
                report.skipped += 1
                continue
            failure = Failure(source.place, error)
            report.failed.append(failure)
            listener(source, failure)
            if not isinstance(error, DocumentError | NoTextError):
                report.untried = len(sources.documents) - number
                break
        else:
            report.done.append(done)
            listener(source, done)
    return report


def _absorb(engine: Engine, library: Library, source: Source, chunking: Chunking, listener: Listener) -> Done:
    is_new = False

    def listen(event: Event) -> None:
        nonlocal is_new
        if isinstance(event, Progress):
            is_new |= event.stage == "absorb"
            listener(source, event)

    task = new(source, chunking)
    events = engine.absorb(task.document, chunking=task.chunking, source_name=task.source_name, options=source.options)
    return Done(task.finish(library, requests.document(events, listen)), is_new)
