"""Absorbing: what the user chose or dropped becomes jobs, and the state of each job is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.screen import Screen

from thoth.actions import sources
from thoth.errors import Stopped, ThothError, UnknownFormatError
from thoth.system.terminal import shown
from thoth.tui import figures, notices
from thoth.tui.messages import AbsorbDone, AbsorbFailed, AbsorbJob, AbsorbMessage, AbsorbProgress
from thoth.tui.widgets.absorb_queue import JobState

if TYPE_CHECKING:
    from thoth.actions.sources import Source
    from thoth.library.records import StoredDocument
    from thoth.tui.engine_client import EngineClient

# Folders with more files than this need a confirmation: the user may have dropped their home folder.
MANY_FILES = 50
_SHOW_EVERY_S = 0.05
_MOST_LINES = 5  # about documents of one drop; more are summed up


class AbsorbController:
    """Starts, cancels and reports jobs.

    Args:
        client: absorbs the documents.
        screen: shows dialogs and notices.
        show: called with the state of all jobs, by their ids, when one changed.
        tell: called with a line about what was absorbed.
    """

    def __init__(
        self,
        client: EngineClient,
        screen: Screen[None],
        show: Callable[[dict[int, JobState]], None],
        tell: notices.Tell,
    ) -> None:
        self._client, self._screen, self._show, self._tell = client, screen, show, tell
        self._say = notices.on(screen)
        self._jobs: dict[int, JobState] = {}
        self._in_folders: set[int] = set()
        self._skipped = 0
        self._done: list[AbsorbDone] = []  # since there was nothing to do
        self._awaited: dict[int, asyncio.Future[StoredDocument | None]] = {}
        self._show_soon = False

    @property
    def summary(self) -> str:
        """The state of the first running job; empty if there is none."""
        running = [state for state in self._jobs.values() if state.error is None]
        progress = next((state.progress for state in running if state.progress), None)
        if not running:
            return ""
        return f"absorbing {progress.done}/{progress.total}" if progress and progress.total > 1 else "absorbing"

    def absorb(self, names: Iterable[str]) -> None:
        """Absorb files, addresses and all files in folders; folders with many files need a confirmation."""
        self._screen.run_worker(self._absorb([*names]), group="absorb")

    def absorb_typed(self, argument: str) -> None:
        """Absorb what a person wrote after a command."""
        self._screen.run_worker(self._absorb_typed(argument), group="absorb")

    async def _absorb_typed(self, argument: str) -> None:
        from thoth.tui import drops

        await self._absorb(await asyncio.to_thread(drops.typed, argument))

    async def absorbed(self, names: Sequence[str]) -> list[StoredDocument]:
        """Absorb files and wait for them; those that cannot be absorbed are left out."""
        waiting = []
        for job in await self._absorb(names):
            waiting.append(asyncio.get_running_loop().create_future())
            self._awaited[job.id] = waiting[-1]
        return [document for document in await asyncio.gather(*waiting) if document is not None]

    async def _absorb(self, names: Sequence[str]) -> list[AbsorbJob]:
        from thoth.tui.screens.confirm import Confirm

        wanted = await asyncio.to_thread(sources.expand, names)
        for failure in wanted.failed:
            self._say(str(failure.error), "error")
        if not wanted.documents and not wanted.failed:
            self._say("Found no documents to absorb", "warning")
        documents = wanted.documents
        in_folders = sum(not source.named for source in documents)
        if in_folders > MANY_FILES:
            many = figures.count(in_folders, "file")
            question = Confirm(f"Absorb {many}?", "They are in the folders you chose.", "Absorb", "primary")
            if not await self._screen.app.push_screen_wait(question):
                documents = tuple(source for source in documents if source.named)
        jobs = []
        for source in await self._allowed(documents):
            job = self._client.absorb(source)
            if not source.named:
                self._in_folders.add(job.id)
            self._begin(job)
            jobs.append(job)
        return jobs

    async def _allowed(self, documents: Sequence[Source]) -> list[Source]:
        """Ask about addresses of this machine or its own network; what the user refuses is left out."""
        from thoth.tui.screens.confirm import Confirm

        private = await asyncio.to_thread(lambda: {*filter(sources.is_private, documents)})
        allowed = []
        for source in documents:
            if source in private:
                where = f"{source.label} is on this machine or its own network."
                if not await self._screen.app.push_screen_wait(Confirm("Fetch it?", where, "Fetch", "primary")):
                    continue
                source = replace(source, options=replace(source.options, allow_private=True))
            allowed.append(source)
        return allowed

    def update(self, documents: Iterable[StoredDocument], *, fetch: bool) -> None:
        """Update documents; with `fetch`, web pages are fetched again."""
        self._screen.run_worker(self._update([*documents], fetch), group="absorb")

    async def _update(self, documents: Sequence[StoredDocument], fetch: bool) -> None:
        places = [sources.Source(document.source) for document in documents if fetch and document.source]
        allowed = {source.place: source.options.allow_private for source in await self._allowed(places)}
        for document in documents:
            if fetch and document.source and document.source not in allowed:
                continue
            private = allowed.get(document.source or "", False)
            self._begin(self._client.update(document, fetch=fetch, allow_private=private))

    def cancel(self, job: AbsorbJob) -> None:
        """Stop a job; its finished chunks are kept."""
        self._client.cancel(job)

    def dismiss(self, job: AbsorbJob) -> None:
        """Forget the error of a job."""
        self._end(job.id)

    def take(self, message: AbsorbMessage) -> None:
        """Note what became of a job."""
        job = message.job
        match message:
            case AbsorbProgress() if state := self._jobs.get(job.id):
                self._jobs[job.id] = replace(state, progress=message.progress)
                self._changed()
            case AbsorbDone():
                self._done.append(message)
                if len(self._done) <= _MOST_LINES:
                    self._tell(line(message), shown(message.summary) if message.is_new else "")
                self._end(job.id, message.document)
            case AbsorbFailed():
                self._fail(job, message.error)

    def _begin(self, job: AbsorbJob) -> None:
        self._jobs[job.id] = JobState(job)
        self._changed()

    def _fail(self, job: AbsorbJob, error: ThothError) -> None:
        skipped = isinstance(error, UnknownFormatError) and job.id in self._in_folders
        self._skipped += skipped
        if skipped or isinstance(error, Stopped):
            self._end(job.id)
        else:
            self._jobs[job.id] = JobState(job, error=error)
            self._answer(job.id, None)
            self._changed()

    def _end(self, id: int, document: StoredDocument | None = None) -> None:
        self._jobs.pop(id, None)
        self._answer(id, document)
        if not any(state.error is None for state in self._jobs.values()):
            if len(self._done) > _MOST_LINES:
                self._tell(_sum(self._done[_MOST_LINES:]))
            self._done.clear()
        self._in_folders.discard(id)
        if self._skipped and not self._in_folders:
            self._say(f"Skipped {figures.count(self._skipped, 'unsupported file')}")
            self._skipped = 0
        self._changed()

    def _answer(self, id: int, document: StoredDocument | None) -> None:
        """Tell who waits for a job."""
        waiting = self._awaited.pop(id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(document)

    def _changed(self) -> None:
        """Show many changes at once: a folder is thousands of them."""
        if not self._show_soon:
            self._show_soon = True
            self._screen.set_timer(_SHOW_EVERY_S, self._show_jobs)

    def _show_jobs(self) -> None:
        self._show_soon = False
        self._show({**self._jobs})


def line(done: AbsorbDone) -> str:
    """Return what is said of an absorbed document: "lease.pdf: 2 pages, 9 chunks, 1.4 s"."""
    document = done.document
    pages = [figures.count(document.pages, "page")] if document.pages else []
    size = ", ".join([*pages, figures.count(document.chunks, "chunk")])
    name = shown(document.name)
    if not done.is_new:
        return f"{name}: already known, {size}"
    return f"{name}: {size}, {figures.seconds(done.seconds)}"


def _sum(done: Sequence[AbsorbDone]) -> str:
    """Return what is said of many documents together."""
    chunks = figures.count(sum(one.document.chunks for one in done), "chunk")
    return f"and {figures.count(len(done), 'more document')}: {chunks}"
