"""Documents that are being absorbed for clients that do not wait."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thoth.actions.absorb import Absorption
from thoth.errors import ThothError
from thoth.events import Absorbed, Event, Failed, Progress
from thoth.ingest import Document
from thoth.library.records import StoredDocument

if TYPE_CHECKING:
    from thoth.serve.service import Service

_READ_AT_ONCE = 8


@dataclass
class Job:
    """A document that is being absorbed, or could not be.

    Attributes:
        done: chunks that are absorbed.
        total: all chunks.
        error: why it ended, one line.
    """

    done: int = 0
    total: int = 0
    error: str = ""


class Jobs:
    """What is being absorbed, by the ids of the documents; what failed is remembered till the same is tried again.

    Attributes:
        room: for those that are read now. Each takes a thread until it begins to be absorbed, and questions need some.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self.room = asyncio.Semaphore(_READ_AT_ONCE)
        self._jobs: dict[str, Job] = {}

    def get(self, id: str) -> Job | None:
        """The job of a document, None where nothing is under way and nothing failed."""
        return self._jobs.get(id)

    def failed(self, id: str) -> str:
        """Why a document could not be absorbed."""
        job = self._jobs.get(id)
        return job.error if job else ""

    def absorb(self, task: Absorption) -> StoredDocument:
        """Begin to absorb a document that has been read; blocks until the library has it, not until it is absorbed.

        Raises:
            ThothError: The library does not take it.
        """
        engine, library = self._service.engine, self._service.library
        assert isinstance(task.document, Document)
        known = library.find(task.document.sha256, engine.bundle_id or "", task.chunking)
        # A library of Thoth 0.1 knows a document by another id than it would have today.
        id = known.id if known is not None else engine.document_id(task.document, task.chunking)
        job, begun = Job(), threading.Event()
        self._jobs[id] = job
        ended: list[Event] = []

        def listen(event: Event) -> None:
            match event:
                case Progress(stage="absorb"):
                    job.done, job.total = event.done, event.total
                    begun.set()
                case Absorbed():
                    try:
                        task.finish(library, event.document)
                    except ThothError as error:
                        job.error = str(error)
                    else:
                        self._jobs.pop(id, None)
                    ended.append(event)
                    begun.set()
                case Failed():
                    job.error = str(event.error)
                    ended.append(event)
                    begun.set()

        # Held by the listener alone: the request ends by itself.
        engine.absorb(task.document, chunking=task.chunking, source_name=task.source_name, listener=listen)
        begun.wait()
        if ended and isinstance(ended[0], Failed):
            raise ended[0].error
        return library.get(id)
