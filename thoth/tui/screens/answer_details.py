"""What stands behind an answer: its cost, the chunks that were attached, the passages that support it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import DataTable, Static

from thoth.events import Chosen, Passage, Stats
from thoth.tui import figures
from thoth.tui.screens.dialog import Dialog
from thoth.tui.widgets.facts import Facts

_MOST_ROWS = 200  # a whole library can be attached


class AnswerDetails(Dialog[None]):
    """Shows the details of one answer.

    Args:
        question: what was asked.
        stats: what the answer cost.
        sources: the passages that support it, best first; none where nothing in the documents does.
    """

    CSS_PATH: ClassVar = ["dialog.tcss", "answer_details.tcss"]

    def __init__(self, question: str, stats: Stats, sources: Sequence[Passage]) -> None:
        super().__init__()
        self._question = question
        self._stats = stats
        self._sources = sources

    def compose(self) -> ComposeResult:
        """Yield cost, chunks and passages, one under the other."""
        with VerticalScroll(classes="dialog") as box:
            box.border_title = "Answer details"
            box.border_subtitle = "Esc closes"
            yield Static(self._question, classes="question", markup=False)
            yield Static("Supporting passages", classes="heading")
            for passage in self._sources:
                yield Static(quoted(passage), classes="passage")
            if not self._sources:
                yield Static("not found in the documents", classes="note")
            yield Static(f"Attached: {figures.count(len(self._stats.chunks), 'chunk')}", classes="heading")
            if self._stats.chunks:
                yield _chunk_table(self._stats.chunks[:_MOST_ROWS])
            if (more := len(self._stats.chunks) - _MOST_ROWS) > 0:
                yield Static(f"and {figures.count(more, 'more chunk')}", classes="note")
            yield Static("Cost", classes="heading")
            yield Facts(figures.cost(self._stats))


def quoted(passage: Passage) -> Content:
    """Return a passage with the place it stands in."""
    place = Content(place_of(passage.name, passage.page, passage.headings)).stylize("bold")
    return Content("\n").join([place, Content(f"“{' '.join(passage.quote.split())}”")])


def place_of(name: str, page: int | None, headings: Sequence[str]) -> str:
    """Return where something stands, from the outside in: "manual.pdf, page 7, Safety > Brakes"."""
    parts = [name, *([f"page {page}"] if page is not None else []), *([" > ".join(headings)] if headings else [])]
    return ", ".join(parts)


def _chunk_table(chunks: Sequence[Chosen]) -> DataTable[Text]:
    table: DataTable[Text] = DataTable(cursor_type="row", zebra_stripes=True)
    table.add_columns("score", "document", "chunk", "pages", "under")
    for chunk in chunks:
        pages = "" if chunk.pages is None else "-".join(map(str, dict.fromkeys(chunk.pages)))
        # Text, for a plain string would be read as markup.
        cells = (f"{chunk.score:.3f}", chunk.name, str(chunk.number + 1), pages, " > ".join(chunk.headings))
        table.add_row(*(Text(cell, no_wrap=True) for cell in cells))
    return table
