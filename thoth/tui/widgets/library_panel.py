"""The library: its documents, which of them are active, and a filter; requests are posted as messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.reactive import reactive
from textual.widgets import Input, Static

from thoth.tui.desk_message import DeskMessage
from thoth.tui.widgets.document_list import DocumentList, grouped, is_document

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument

_EMPTY = "No documents yet.\n\nDrop a PDF or a text file on this window, or press Ctrl+O to choose one."
_NO_MATCH = "No document has these words in its name. Esc shows all."


class LibraryPanel(Vertical):
    """The documents of the library, newest first.

    Attributes:
        documents: all documents.
        bundle: id of the bundle in use, None before the model is loaded.
        words: filter; documents match by name, collection or state ("stale", "active").
    """

    DEFAULT_CSS = """
    LibraryPanel {
        border: round $border-blurred;
        border-title-color: $text;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        background: $surface;
        &:focus-within { border: round $border; }
        & > Input { background: $surface; }
        & > Static { height: 1fr; padding: 1; color: $text-muted; }
        & > Static { display: none; }
        &.-nothing > Static { display: block; }
        &.-nothing > DocumentList { display: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+a", "toggle_shown", "All", id="library.use_all", tooltip="Activate or deactivate all listed documents"
        ),
        Binding("slash", "filter", "Filter", id="library.filter", tooltip="Filter documents by words"),
        Binding(
            "delete,backspace", "remove", "Remove", id="library.remove", tooltip="Remove the document from the library"
        ),
        Binding("r", "rename", "Rename", id="library.rename", tooltip="Rename the document"),
        Binding("t", "tag", "Collections", id="library.tag", tooltip="Put the document into collections"),
        Binding(
            "u", "update", "Update", id="library.update", tooltip="Absorb again if the source or the model changed"
        ),
        Binding("U", "update_shown", "Update all", id="library.update_all", tooltip="Update all listed documents"),
        Binding("e", "export", "Export", id="library.export", tooltip="Export as an adapter for other programs"),
        Binding("escape", "show_all", "Show all", id="library.show_all", show=False, tooltip="Clear the filter"),
        Binding("down", "enter_list", "To the list", id="library.enter", show=False, tooltip="Go to the list"),
    ]

    # Comparing thousands of documents takes longer than showing them.
    documents: reactive[Sequence[StoredDocument]] = reactive[Sequence["StoredDocument"]](
        (), init=False, always_update=True
    )
    bundle: reactive[str | None] = reactive[str | None](None)
    words: reactive[str] = reactive("", init=False)

    @dataclass
    class Toggled(DeskMessage):
        """Activate or deactivate documents."""

        ids: list[str]
        active: bool

    @dataclass
    class Open(DeskMessage):
        """Show properties and text of a document."""

        id: str

    @dataclass
    class Remove(DeskMessage):
        """Remove documents after a confirmation."""

        ids: list[str]

    @dataclass
    class Rename(DeskMessage):
        """Rename a document."""

        id: str

    @dataclass
    class Tag(DeskMessage):
        """Change which collections a document is in."""

        id: str

    @dataclass
    class Update(DeskMessage):
        """Update documents whose files or model changed; with `fetch`, web pages are fetched again."""

        ids: list[str]
        fetch: bool

    @dataclass
    class Export(DeskMessage):
        """Export documents as one adapter."""

        ids: list[str]

    def __init__(self) -> None:
        super().__init__()
        self._active: frozenset[str] = frozenset()
        self._folded: frozenset[str] = frozenset()
        self._fitting: Sequence[StoredDocument] = ()

    @property
    def shown(self) -> Sequence[StoredDocument]:
        """The documents that match the filter."""
        return self._fitting

    def compose(self) -> ComposeResult:
        """Yield the filter, the list, and the text in place of an empty list."""
        yield Input(placeholder="Filter", compact=True, select_on_focus=False)
        yield DocumentList().data_bind(LibraryPanel.bundle)
        yield Static(_EMPTY, markup=False)

    def on_mount(self) -> None:
        """Show the documents set before mounting."""
        self.border_title = "Library"
        self.watch_documents()

    def watch_documents(self) -> None:
        """Show the new list."""
        self._active = frozenset(document.id for document in self.documents if document.active)
        self._show()

    def watch_bundle(self) -> None:
        """Filter again: which documents are stale depends on the bundle."""
        if self.is_mounted:
            self._show()

    def watch_words(self) -> None:
        """Show the documents that match."""
        self._show()

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        event.stop()
        self.words = event.value

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_enter_list()

    @on(DocumentList.Checked)
    def _toggle(self, event: DocumentList.Checked) -> None:
        event.stop()
        ids = [event.row.id] if is_document(event.row) else [*event.row.ids]
        active = not self._active.issuperset(ids)
        self._activate([id for id in ids if (id in self._active) != active], active)

    @on(DocumentList.Opened)
    def _open(self, event: DocumentList.Opened) -> None:
        event.stop()
        if is_document(event.row):
            self.post_message(self.Open(event.row.id))
        else:
            self._folded ^= {event.row.name}
            self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable Escape without a filter, and the other keys without documents."""
        if action == "show_all":
            return bool(self.words)
        if action in ("toggle_shown", "update_shown"):
            return bool(self.shown)
        if action in ("remove", "rename", "tag", "update", "export"):
            current = self.query_one(DocumentList).current
            return current is not None and is_document(current)
        return True

    def action_toggle_shown(self) -> None:
        """Activate all listed documents; if all are active, deactivate them."""
        ids = [document.id for document in self.shown]
        active = not self._active.issuperset(ids)
        self._activate([id for id in ids if (id in self._active) != active], active)

    def action_filter(self) -> None:
        """Go to the filter."""
        self.query_one(Input).focus()

    def action_show_all(self) -> None:
        """Clear the filter; the screen goes back to the prompt."""
        self.query_one(Input).clear()
        raise SkipAction

    def action_enter_list(self) -> None:
        """Go to the list."""
        self.query_one(DocumentList).focus()

    def action_remove(self) -> None:
        """Request to remove the document under the cursor."""
        self.post_message(self.Remove([self._current.id]))

    def action_rename(self) -> None:
        """Request a new name."""
        self.post_message(self.Rename(self._current.id))

    def action_tag(self) -> None:
        """Request other collections."""
        self.post_message(self.Tag(self._current.id))

    def action_update(self) -> None:
        """Request an update."""
        self.post_message(self.Update([self._current.id], fetch=True))

    def action_update_shown(self) -> None:
        """Request an update of all listed documents."""
        self.post_message(self.Update([document.id for document in self.shown], fetch=False))

    def action_export(self) -> None:
        """Request an export."""
        self.post_message(self.Export([self._current.id]))

    @property
    def _current(self) -> StoredDocument:
        current = self.query_one(DocumentList).current
        assert current is not None  # check_action: there is a document
        assert is_document(current)
        return current

    def _activate(self, ids: list[str], active: bool) -> None:
        # Shown at once; confirmed when the library has saved it.
        self._active = self._active.union(ids) if active else self._active.difference(ids)
        if any(document.collections for document in self._fitting):
            self._list()  # headings count them
        self._show_active()
        self.post_message(self.Toggled(ids, active))

    def _list(self) -> None:
        folded = frozenset[str]() if self.words.strip() else self._folded
        self.query_one(DocumentList).rows = grouped(self._fitting, self._active, folded)

    def _show(self) -> None:
        self._fitting = self._filtered(self.words.casefold().split()) if self.words.strip() else self.documents
        self._list()
        self.query_one(Static).update(_NO_MATCH if self.documents else _EMPTY)
        self.set_class(not self._fitting, "-nothing")
        self._show_active()
        self.refresh_bindings()

    def _show_active(self) -> None:
        self.query_one(DocumentList).checked = self._active
        self.border_subtitle = f"{len(self._active):,} of {len(self.documents):,} active" if self.documents else ""

    def _filtered(self, words: Sequence[str]) -> list[StoredDocument]:
        bundle, fitting = self.bundle, []
        for document in self.documents:
            active = " active" if document.id in self._active else ""
            inside = " ".join(document.collections)
            text = f"{document.name} {document.state(bundle)}{active} {inside}".casefold()
            if all(word in text for word in words):
                fitting.append(document)
        return fitting
