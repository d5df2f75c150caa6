"""The app with its real library and an engine that is none, for tests of what library and queue ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from benchmarks.driving import DrivenApp
from tests.app.tui import fakes, hosts
from tests.app.tui.fakes import FakeEngine
from thoth.library.records import StoredDocument
from thoth.tui.widgets.document_list import DocumentList


class LibraryApp(DrivenApp):
    def __init__(self, home: Path) -> None:
        super().__init__(home, None, lambda _: self.engine)
        self.engine = FakeEngine(self.library)

    @property
    def stored(self) -> list[StoredDocument]:
        """What the screen knows."""
        return [*self.main.documents]

    @property
    def said(self) -> list[str]:
        return [notification.message for notification in self._notifications]


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[Pilot[None]]:
    app = LibraryApp(home)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.main.bundle == fakes.BUNDLE)
        app.query_one(DocumentList).focus()
        yield pilot


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Let the app work until something is so, and all that follows from it."""
    await hosts.until(pilot, lambda: bool(condition()))
    await pilot.pause()


def write(path: Path, text: str = "Ana Dor founded Velmar in a small harbour town.") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


async def absorbed(pilot: Pilot[None], *paths: Path) -> list[StoredDocument]:
    """Absorb files and return the documents of the library."""
    app = pilot.app
    count = len(app.stored) + len(paths)
    app.main.desk.absorbing.absorb([str(path) for path in paths])
    await until(pilot, lambda: len(app.stored) == count and all(d.complete and d.active for d in app.stored))
    await until(pilot, lambda: not app.main.jobs)
    return app.stored
