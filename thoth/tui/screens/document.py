"""One document: its properties, and its text page by page."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Button, Input, Static

from thoth.errors import ThothError
from thoth.system.terminal import shown
from thoth.tui import figures
from thoth.tui.pages import Segment, segments
from thoth.tui.screens.dialog import Dialog

if TYPE_CHECKING:
    from thoth.ingest import Document
    from thoth.library.library import Library
    from thoth.library.records import StoredDocument


class DocumentScreen(Dialog[None]):
    """Shows a document of the library.

    Args:
        library: where its text is.
        document: which.
        bundle: id of the bundle in use.

    Attributes:
        place: index of the segment that is shown.
    """

    CSS_PATH: ClassVar = ["dialog.tcss", "document.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,right", "turn(1)", "Next", id="document.next", tooltip="Next page"),
        Binding("p,left", "turn(-1)", "Previous", id="document.previous", tooltip="Previous page"),
        Binding("g", "choose", "Go to", id="document.go_to", tooltip="Go to a page"),
    ]

    place: reactive[int] = reactive(0, init=False)

    def __init__(self, library: Library, document: StoredDocument, bundle: str | None) -> None:
        super().__init__()
        self._library = library
        self._stored = document
        self._bundle = bundle
        self._document: Document | None = None
        self._segments: list[Segment] = []

    def compose(self) -> ComposeResult:
        """Yield properties, text, and page controls."""
        with Vertical(classes="dialog -full") as box:
            box.border_title = Content(shown(self._stored.name))
            box.border_subtitle = "N next, P previous, G go to a page, Esc closes"
            yield Static(describe(self._stored, self._bundle), id="facts", markup=False)
            with VerticalScroll(id="text"):
                yield Static("", markup=False)
            with Horizontal(id="turning"):
                yield Button("Previous", id="previous", compact=True)
                yield Input("1", type="integer", compact=True)
                yield Static("", id="total", markup=False)
                yield Button("Next", id="next", compact=True)

    def on_mount(self) -> None:
        """Read the text after the first paint."""
        self.query_one("#turning").display = False
        self.query_one("#text").focus()
        self._read()

    @work
    async def _read(self) -> None:
        try:
            self._document = await asyncio.to_thread(self._library.document, self._stored.id)
        except ThothError as error:
            self._text.update(str(error))
            self._text.add_class("error")
            return
        self._segments = await asyncio.to_thread(segments, self._document)
        self.query_one("#turning").display = len(self._segments) > 1
        self.watch_place()

    def validate_place(self, place: int) -> int:
        """Stay inside the document."""
        return max(0, min(place, len(self._segments) - 1))

    def watch_place(self) -> None:
        """Show the current segment from its beginning."""
        if self._document is None:
            return
        segment = self._segments[self.place]
        self._text.update(self._document.text[segment.start : segment.end].strip("\n"))
        self.query_one("#text").scroll_home(animate=False)
        number, total = (segment.page, self._stored.pages) if segment.page else (self.place + 1, len(self._segments))
        with self.prevent(Input.Changed):
            self.query_one(Input).value = str(number)
        self.query_one("#total", Static).update(f"of {total}")

    def action_turn(self, pages: int) -> None:
        """Show the next or the previous page."""
        self.place += pages

    def action_choose(self) -> None:
        """Go to the page number."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Show the page with this number, or the next page with text."""
        if event.value.isdecimal():  # the field also takes a sign alone
            number = int(event.value)
            has_pages = self._segments[self.place].page is not None
            pages = [segment.page or 0 for segment in self._segments]
            self.place = bisect_left(pages, number) if has_pages else number - 1
            self.watch_place()
        self.query_one("#text").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Turn the page."""
        self.action_turn(1 if event.button.id == "next" else -1)

    @property
    def _text(self) -> Static:
        return self.query_one("#text > Static", Static)


def describe(document: StoredDocument, bundle: str | None) -> str:
    """Return the properties of a document, one line for each kind."""
    state = document.state(bundle)
    standing = {
        "ready": "ready",
        "absorbing": f"{document.absorbed} of {figures.count(document.chunks, 'chunk')} absorbed; U finishes it",
        "stale": "absorbed with another model; U absorbs it again",
    }[state]
    size = [
        *([figures.count(document.pages, "page")] if document.pages else []),
        figures.count(document.chunks, "chunk"),
        figures.count(document.tokens, "token"),
        f"adapters {figures.size(document.bytes)}",
    ]
    lines = [
        f"{standing}, {'used for answers' if document.active else 'not used for answers'}",
        ", ".join(size),
        f"added {document.added.astimezone():%Y-%m-%d %H:%M} from {shown(document.source or 'pasted or piped text')}",
    ]
    return "\n".join(lines)
