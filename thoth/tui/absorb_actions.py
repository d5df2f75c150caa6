"""A screen that absorbs what it is given, and carries out what its absorb queue asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import textual
from textual import on
from textual.notifications import SeverityLevel
from textual.reactive import reactive
from textual.screen import Screen

from thoth.errors import Stopped, UnknownFormatError
from thoth.tui import figures
from thoth.tui.messages import AbsorbDone, AbsorbFailed, AbsorbProgress, AbsorbQueued
from thoth.tui.widgets.absorb_queue import AbsorbQueue, JobState

if TYPE_CHECKING:
    from thoth.tui.work import Work

# Folders with more files than this are asked about: somebody may have dropped their home.
_MANY_FILES = 50
_JOBS_EVERY_S = 0.05


class AbsorbActions(Screen[None]):
    """A screen with an `AbsorbQueue`, bound to its jobs by `data_bind`.

    Attributes:
        jobs: what is being absorbed, waits, or failed.

    Args:
        work: carries requests to the engine.
    """

    jobs: reactive[dict[int, JobState]] = reactive[dict[int, JobState]]({})

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work
        self._jobs: dict[int, JobState] = {}
        self._jobs_changed = False
        self._in_folders: set[int] = set()
        self._skipped = 0

    @textual.work(group="library-absorb")
    async def absorb(self, sources: Iterable[str]) -> None:
        """Absorb files, addresses and all files in folders; folders with many are asked about first."""
        from thoth.actions.sources import Source, is_private
        from thoth.tui.screens.confirm import Confirm
        from thoth.tui.sources import expand

        wanted = await asyncio.to_thread(expand, [*sources])
        for error in wanted.closed:
            self._say(str(error), "error")
        if not wanted.named and not wanted.found and not wanted.closed:
            self._say("there is no document in it", "warning")
        if len(wanted.found) > _MANY_FILES:
            many = figures.count(len(wanted.found), "file")
            question = Confirm(f"Absorb {many}?", "They are in what you chose.", "Absorb", "primary")
            if not await self.app.push_screen_wait(question):
                wanted.found.clear()
        private = []
        for source in await asyncio.to_thread(lambda: [*filter(is_private, map(Source, wanted.named))]):
            where = f"{source.label} is on this machine or its own network."
            if await self.app.push_screen_wait(Confirm("Fetch it?", where, "Fetch", "primary")):
                private.append(source.place)
            else:
                wanted.named.remove(source.place)
        self.work.absorb(wanted.named, private)
        self._in_folders |= {job.id for job in self.work.absorb(wanted.found)}

    @on(AbsorbQueue.Cancel)
    def _cancel(self, event: AbsorbQueue.Cancel) -> None:
        self.work.cancel(event.job)

    @on(AbsorbQueue.Dismiss)
    def _dismiss(self, event: AbsorbQueue.Dismiss) -> None:
        self._end_job(event.job.id)

    @on(AbsorbQueued)
    def _queued(self, event: AbsorbQueued) -> None:
        self._jobs[event.job.id] = JobState(event.job)
        self._show_jobs_soon()

    @on(AbsorbProgress)
    def _progress(self, event: AbsorbProgress) -> None:
        if state := self._jobs.get(event.job.id):
            self._jobs[event.job.id] = replace(state, progress=event.progress)
            self._show_jobs_soon()

    @on(AbsorbDone)
    def _done(self, event: AbsorbDone) -> None:
        self._end_job(event.job.id)

    @on(AbsorbFailed)
    def _failed(self, event: AbsorbFailed) -> None:
        job, error = event.job, event.error
        if isinstance(error, UnknownFormatError) and job.id in self._in_folders:
            self._skipped += 1
            self._end_job(job.id)
        elif isinstance(error, Stopped):
            self._end_job(job.id)
        else:
            self._jobs[job.id] = JobState(job, error=error)
            self._show_jobs_soon()

    def _end_job(self, id: int) -> None:
        self._jobs.pop(id, None)
        self._in_folders.discard(id)
        if self._skipped and not self._in_folders:
            self._say(f"{figures.count(self._skipped, 'file')} skipped that Thoth does not read", "information")
            self._skipped = 0
        self._show_jobs_soon()

    def _show_jobs_soon(self) -> None:
        """Show many changes at once: a folder is thousands of them."""
        if not self._jobs_changed:
            self._jobs_changed = True
            self.set_timer(_JOBS_EVERY_S, self._show_jobs)

    def _show_jobs(self) -> None:
        self._jobs_changed = False
        self.jobs = {**self._jobs}

    def _say(self, text: str, severity: SeverityLevel = "information") -> None:
        self.notify(text, severity=severity, markup=False)
