"""The documents of the library, two lines each: the name, and what there is to know about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.reactive import reactive

from thoth.ingest import shown
from thoth.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument


class DocumentList(RowList["StoredDocument"]):
    """Documents; those that are used for answers have a mark.

    Attributes:
        bundle: id of the bundle in use; documents of another one are stale.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "check", "Use", id="library.use", tooltip="Answer from this document, or do not"),
        Binding("enter", "open", "Details", id="library.details", tooltip="Facts and text of this document"),
    ]

    row_height = 2

    bundle: reactive[str | None] = reactive[str | None](None)

    def identity(self, row: StoredDocument) -> str:
        """Return its id."""
        return row.id

    def text(self, row: StoredDocument, line: int) -> tuple[str, str]:
        """Return the name, then the facts; those are a warning where it cannot be used yet, or no more."""
        if line == 0:
            return shown(row.name), "text"
        return facts(row, self.bundle), "muted" if row.state(self.bundle) == "ready" else "warning"


def facts(document: StoredDocument, bundle: str | None) -> str:
    """Return what fits into a narrow line: pages, chunks, tokens; or why it cannot be used, and less of these."""
    pages = [f"{_short(document.pages)} p"] if document.pages else []
    chunks = f"{_short(document.chunks)} ch"
    match document.state(bundle):
        case "absorbing":
            parts = [f"{_short(document.absorbed)} of {chunks}", *pages]
        case "stale":
            parts = ["stale", *pages, chunks]
        case "ready":
            parts = [*pages, chunks, f"{_short(document.tokens)} tok"]
    return " \u00b7 ".join(parts)


def _short(number: int) -> str:
    """Return a number in four characters or fewer: 950, 3.1k, 42k, 1.2M."""
    for unit, name in ((10**6, "M"), (10**3, "k")):
        if number >= unit - unit // 2000:
            return f"{number / unit:.1f}{name}" if number < 9.95 * unit else f"{number / unit:.0f}{name}"
    return str(number)
