"""A screen that carries out what its library panel asks for: dialogs first, then the library.

The library is read and written on threads, one change after the other, in the order they were asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import textual
from textual import events, on
from textual.reactive import reactive

from thoth.errors import ThothError
from thoth.ingest import shown
from thoth.system import paths
from thoth.tui import figures
from thoth.tui.absorb_actions import AbsorbActions
from thoth.tui.messages import LibraryChanged, ModelReady
from thoth.tui.widgets.library_panel import LibraryPanel

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument
    from thoth.tui.work import Work

_OTHERS_EVERY_S = 3.0


class LibraryActions(AbsorbActions):
    """A screen with a `LibraryPanel` and an `AbsorbQueue`, bound to its reactives by `data_bind`.

    Attributes:
        documents: of the library, newest first.
        bundle: id of the bundle in use.

    Args:
        work: carries requests to the engine.
    """

    documents: reactive[Sequence[StoredDocument]] = reactive[Sequence["StoredDocument"]]((), always_update=True)
    bundle: reactive[str | None] = reactive[str | None](None)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._changing = asyncio.Lock()
        self._refreshing = False
        self._outdated = False
        self._revision: int | None = None

    @on(events.Mount)
    def _begin(self) -> None:
        self.call_after_refresh(self.refresh_documents)
        self.set_interval(_OTHERS_EVERY_S, self._look_for_changes)

    # Reading

    @textual.work(group="library")
    async def refresh_documents(self) -> None:
        """Read the list of documents again; called while that goes on, once more when it is done."""
        self._outdated = True
        if self._refreshing:
            return
        self._refreshing = True
        try:
            while self._outdated:
                self._outdated = False
                self.documents = await asyncio.to_thread(self.work.documents)
        except ThothError as error:
            self._say(str(error), "error")
        finally:
            self._refreshing = False

    @textual.work(group="library-revision", exclusive=True)
    async def _look_for_changes(self) -> None:
        """Notice what other processes do to the library."""
        try:
            revision = await asyncio.to_thread(self.work.library.revision)
        except ThothError:
            return  # the next thing people do with the library says it
        if self._revision not in (None, revision):
            self.refresh_documents()
        self._revision = revision

    @on(LibraryChanged)
    def _changed(self) -> None:
        self.refresh_documents()

    @on(ModelReady)
    def _ready(self, event: ModelReady) -> None:
        self.bundle = event.bundle_id

    # Changing

    @on(LibraryPanel.Toggled)
    def _toggle(self, event: LibraryPanel.Toggled) -> None:
        self._change(lambda: self.work.library.activate(event.ids, event.active))

    @on(LibraryPanel.Open)
    def open_document(self, event: LibraryPanel.Open) -> None:
        """Show facts and text of a document."""
        from thoth.tui.screens.document import DocumentScreen

        if document := self._document(event.id):
            self.app.push_screen(DocumentScreen(self.work.library, document, self.bundle))

    @on(LibraryPanel.Remove)
    @textual.work(group="library-dialog")
    async def _remove(self, event: LibraryPanel.Remove) -> None:
        from thoth.tui.screens.confirm import Confirm

        documents = self._documents(event.ids)
        if not documents:
            return
        what = shown(documents[0].name) if len(documents) == 1 else figures.count(len(documents), "document")
        keeps = "What was absorbed and the text are deleted. The file it came from stays."
        if await self.app.push_screen_wait(Confirm(f"Remove {what}?", keeps, "Remove")):

            def remove() -> None:
                for document in documents:
                    self.work.library.remove(document.id)

            self._change(remove)

    @on(LibraryPanel.Rename)
    @textual.work(group="library-dialog")
    async def _rename(self, event: LibraryPanel.Rename) -> None:
        from thoth.tui.screens.rename import Rename

        if not (document := self._document(event.id)):
            return
        if name := await self.app.push_screen_wait(Rename("Rename the document", document.name)):
            self._change(lambda: self.work.library.rename(document.id, name))

    @on(LibraryPanel.Update)
    def _update(self, event: LibraryPanel.Update) -> None:
        self.work.update(self._documents(event.ids))

    @on(LibraryPanel.Export)
    @textual.work(group="library-dialog")
    async def _export(self, event: LibraryPanel.Export) -> None:
        from thoth.tui import exporting
        from thoth.tui.screens.export import ExportScreen

        chosen, active = self._documents(event.ids), [document for document in self.documents if document.active]
        if not chosen:
            return
        if self.work.pair is None:
            self._say("the model is needed for this: wait until it is loaded", "warning")
            return
        if plan := await self.app.push_screen_wait(ExportScreen(chosen, active, Path.cwd())):
            try:
                rank = await asyncio.to_thread(exporting.write, paths.home(), self.work.pair, plan)
                self._say(f"wrote an adapter of rank {rank} to {shown(str(plan.destination))}")
            except ThothError as error:
                self._say(str(error), "error")

    @textual.work(group="library-change")
    async def _change(self, change: Callable[[], object]) -> None:
        """Change the library on a thread and show what became of it."""
        async with self._changing:  # lets waiting ones in by their order
            try:
                await asyncio.to_thread(change)
            except ThothError as error:
                self._say(str(error), "error")
        self.refresh_documents()

    # What the ids stand for

    def _documents(self, ids: Iterable[str]) -> list[StoredDocument]:
        wanted = set(ids)
        return [document for document in self.documents if document.id in wanted]

    def _document(self, id: str) -> StoredDocument | None:
        return next(iter(self._documents([id])), None)
