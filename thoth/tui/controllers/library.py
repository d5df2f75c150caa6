"""The library: reading the list of documents, and changing it after a dialog.

The library is read and written on threads, one change at a time, in the order of the requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from thoth.errors import ThothError
from thoth.system import paths
from thoth.system.spelling import fold
from thoth.system.terminal import shown
from thoth.tui import figures, notices

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument
    from thoth.tui.controllers.absorb import AbsorbController
    from thoth.tui.engine_client import EngineClient

_LOOK_EVERY_S = 3.0


class LibraryController:
    """Keeps the list of documents current and carries out what the library panel asks for.

    Args:
        client: gives access to the library, and to the model for exports.
        absorbing: absorbs documents again for updates.
        screen: shows dialogs and notices.
        show: called with all documents, newest first, after they were read.

    Attributes:
        documents: as they were read last.
        refreshing: whether they are being read.
    """

    def __init__(
        self,
        client: EngineClient,
        absorbing: AbsorbController,
        screen: Screen[None],
        show: Callable[[Sequence[StoredDocument]], None],
    ) -> None:
        self._client, self._absorbing, self._screen, self._show = client, absorbing, screen, show
        self._say = notices.on(screen)
        self._changing = asyncio.Lock()
        self._outdated = False
        self._revision: int | None = None
        self.documents: Sequence[StoredDocument] = ()
        self.refreshing = False

    def begin(self) -> None:
        """Read the library after the first paint, and look for changes from then on."""
        self._screen.call_after_refresh(self.refresh)
        self._screen.set_interval(_LOOK_EVERY_S, lambda: self._run(self.look_for_changes()))

    def put(self, document: StoredDocument) -> None:
        """Know of a new or changed document at once; the panel shows it after the next reading."""
        others = [other for other in self.documents if other.id != document.id]
        self.documents = [document, *others]

    # Reading

    def refresh(self) -> None:
        """Read the list of documents again; if it is being read, once more after that."""
        self._outdated = True
        if not self.refreshing:
            self.refreshing = True
            self._run(self._read())

    async def _read(self) -> None:
        try:
            while self._outdated:
                self._outdated = False
                self.documents = await asyncio.to_thread(self._client.documents)
                if self._screen.app.is_running:  # else its widgets are gone or going
                    self._show(self.documents)
        except ThothError as error:
            self._say(str(error), "error")
        finally:
            self.refreshing = False

    async def look_for_changes(self) -> None:
        """Refresh if another process has changed the library."""
        try:
            revision = await asyncio.to_thread(self._client.library.revision)
        except ThothError:
            return  # the user's next action on the library reports it
        if self._revision not in (None, revision):
            self.refresh()
        self._revision = revision

    # Changing

    def activate(self, ids: Sequence[str], active: bool) -> None:
        """Use documents for answers, or not."""
        self._change(lambda: self._client.library.activate(ids, active))

    def activate_only(self, ids: set[str]) -> None:
        """Use exactly these documents, as far as they still exist."""
        known = {document.id for document in self.documents}
        active = {document.id for document in self.documents if document.active}
        if gone := ids - known:
            self._say(f"{figures.count(len(gone), 'document')} of this chat no longer in the library", "warning")
        library = self._client.library

        def change() -> None:
            library.activate(active - ids, False)
            library.activate(ids & known, True)

        self._change(change)

    def open(self, id: str) -> None:
        """Show the properties and the text of a document."""
        from thoth.tui.screens.document import DocumentScreen

        for document in self._documents([id]):
            self._screen.app.push_screen(DocumentScreen(self._client.library, document, self._client.bundle_id))

    def remove(self, ids: Iterable[str]) -> None:
        """Remove documents after a confirmation."""
        self._run(self._remove(self._documents(ids)))

    async def _remove(self, documents: Sequence[StoredDocument]) -> None:
        from thoth.tui.screens.confirm import Confirm

        if not documents:
            return
        what = shown(documents[0].name) if len(documents) == 1 else figures.count(len(documents), "document")
        detail = "Deletes its text and its adapters. The original file is kept."
        if await self._screen.app.push_screen_wait(Confirm(f"Remove {what}?", detail, "Remove")):

            def remove() -> None:
                for document in documents:
                    self._client.library.remove(document.id)

            self._change(remove)

    def rename(self, id: str) -> None:
        """Ask for a new name of a document."""
        self._run(self._rename(id))

    async def _rename(self, id: str) -> None:
        from thoth.tui.screens.rename import Rename

        for document in self._documents([id]):
            if name := await self._screen.app.push_screen_wait(Rename("Rename document", document.name)):
                self._change(lambda name=name: self._client.library.rename(id, name))  # type: ignore[misc]

    def tag(self, id: str) -> None:
        """Ask for the collections of a document."""
        self._run(self._tag(id))

    async def _tag(self, id: str) -> None:
        from thoth.tui.screens.rename import Rename

        for document in self._documents([id]):
            before = ", ".join(document.collections)
            title = f"Collections of {shown(document.name)}"
            dialog = Rename(title, before, "Names, with commas between them", "Save", may_be_empty=True)
            if (names := await self._screen.app.push_screen_wait(dialog)) is not None:
                self._change(partial(self._retag, document, names.split(",")))

    def _retag(self, document: StoredDocument, names: Sequence[str]) -> None:
        """Put a document into these collections and no others; on a thread."""
        library = self._client.library
        wanted = {fold(name.strip()): name for name in names if name.strip()}
        for name in wanted.values():
            library.tag(name, [document.id])
        for name in document.collections:
            if fold(name) not in wanted:
                library.untag(name, [document.id])

    def update(self, ids: Sequence[str], *, fetch: bool) -> None:
        """Absorb outdated documents again; with `fetch`, web pages are fetched."""
        self._absorbing.update(self._documents(ids), fetch=fetch)

    def export(self, ids: Iterable[str]) -> None:
        """Ask how to export documents, and write the adapter."""
        self._run(self._export(self._documents(ids)))

    async def _export(self, chosen: Sequence[StoredDocument]) -> None:
        from thoth.actions import export
        from thoth.tui.screens.export import ExportScreen

        if not chosen:
            return
        if (pair := self._client.pair) is None:
            self._say("Exporting needs the model; wait until it is loaded", "warning")
            return
        active = [document for document in self.documents if document.active]
        plan = await self._screen.app.push_screen_wait(ExportScreen(chosen, active, Path.cwd()))
        if plan is None:
            return
        try:
            rank = await asyncio.to_thread(
                export.export, paths.home(), pair, plan.documents, plan.format, plan.destination, force=plan.force
            )
            self._say(f"Wrote an adapter of rank {rank} to {shown(str(plan.destination))}")
        except ThothError as error:
            self._say(str(error), "error")

    def _change(self, change: Callable[[], object]) -> None:
        """Change the library on a thread and show the result."""
        self._run(self._change_in_turn(change))

    async def _change_in_turn(self, change: Callable[[], object]) -> None:
        async with self._changing:  # admits waiting changes in their order
            try:
                await asyncio.to_thread(change)
            except ThothError as error:
                self._say(str(error), "error")
        self.refresh()

    def _documents(self, ids: Iterable[str]) -> list[StoredDocument]:
        wanted = set(ids)
        return [document for document in self.documents if document.id in wanted]

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._screen.run_worker(work, group="library")
