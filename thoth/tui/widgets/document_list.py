"""The documents of the library, two lines each, below the headings of their collections."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeGuard

from textual.binding import Binding, BindingType
from textual.reactive import reactive

from thoth.system.terminal import shown
from thoth.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument

_REST = ""  # the documents in no collection


@dataclass(frozen=True)
class Heading:
    """A collection above its documents.

    Attributes:
        name: of the collection; empty for the documents in none.
        ids: of its documents that are listed.
        active: number of those that are used for answers.
        folded: whether they are hidden.
    """

    name: str
    ids: tuple[str, ...]
    active: int
    folded: bool


class DocumentList(RowList["Heading | StoredDocument"]):
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

    def watch_cursor(self) -> None:
        """Follow the cursor; some keys are about documents only."""
        super().watch_cursor()
        self.refresh_bindings()

    def identity(self, row: Heading | StoredDocument) -> str:
        """Return the document's id, or the collection's name in a form that is no id."""
        return row.id if is_document(row) else f"collection {row.name}"

    def has_box(self, row: Heading | StoredDocument) -> bool:
        """Return whether it is a document: so these stand indented."""
        return is_document(row)

    def text(self, row: Heading | StoredDocument, line: int) -> tuple[str, str]:
        """Return the name, then the facts; those are a warning where it cannot be used yet, or no more."""
        if isinstance(row, Heading):
            sign = "\u25b8" if row.folded else "\u25be"
            return (f"{sign} {row.name or 'in no collection'}", "text") if line == 0 else (_count(row), "muted")
        if line == 0:
            return shown(row.name), "text"
        return facts(row, self.bundle), "muted" if row.state(self.bundle) == "ready" else "warning"


def is_document(row: Heading | StoredDocument) -> TypeGuard[StoredDocument]:
    """Tell documents from headings."""
    return not isinstance(row, Heading)


def grouped(
    documents: Sequence[StoredDocument], active: Collection[str], folded: Collection[str]
) -> Sequence[Heading | StoredDocument]:
    """Return documents below the headings of their collections; without collections there are no headings.

    Args:
        documents: in the order in which they are listed; one in two collections is listed twice.
        active: ids of those that are used for answers.
        folded: names of the collections whose documents are hidden.
    """
    names = sorted({name for document in documents for name in document.collections}, key=str.casefold)
    if not names:
        return documents
    rows: list[Heading | StoredDocument] = []
    for name in (*names, _REST):
        inside = [one for one in documents if (name in one.collections if name else not one.collections)]
        if inside:
            ids = tuple(document.id for document in inside)
            rows.append(Heading(name, ids, sum(id in active for id in ids), name in folded))
            rows += [] if name in folded else inside
    return rows


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


def _count(heading: Heading) -> str:
    return f"  {heading.active:,} of {len(heading.ids):,} active"


def _short(number: int) -> str:
    """Return a number in four characters or fewer: 950, 3.1k, 42k, 1.2M."""
    for unit, name in ((10**6, "M"), (10**3, "k")):
        if number >= unit - unit // 2000:
            return f"{number / unit:.1f}{name}" if number < 9.95 * unit else f"{number / unit:.0f}{name}"
    return str(number)
