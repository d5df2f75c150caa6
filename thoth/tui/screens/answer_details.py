"""The details of an answer: supporting passages, attached chunks, cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import DataTable, Static

from thoth.actions import ask
from thoth.events import Chosen, Passage, Stats
from thoth.tui import figures
from thoth.tui.screens.dialog import Dialog
from thoth.tui.widgets.facts import Facts

_MOST_ROWS = 200  # a whole library can be attached


class AnswerDetails(Dialog[None]):
    """Shows the details of one answer.

    Args:
        question: the question.
        stats: cost of the answer.
        sources: passages that support it, best first; empty if the documents contain none.
    """

    CSS_PATH: ClassVar = ["dialog.tcss", "answer_details.tcss"]

    def __init__(self, question: str, stats: Stats, sources: Sequence[Passage]) -> None:
        super().__init__()
        self._question = question
        self._stats = stats
        self._sources = sources

    def compose(self) -> ComposeResult:
        """Yield passages, chunks and cost."""
        with VerticalScroll(classes="dialog") as box:
            box.border_title = "Answer details"
            box.border_subtitle = "Esc closes"
            yield Static(self._question, classes="question", markup=False)
            yield Static("Supporting passages", classes="heading")
            for place, quote in ask.explain(self._sources):
                yield Static(Content(place).stylize("bold") + Content(f"\n“{quote}”"), classes="passage")
            if not self._sources:
                yield Static(ask.NOT_FOUND, classes="note")
            yield Static(f"Attached: {figures.count(len(self._stats.chunks), 'chunk')}", classes="heading")
            if self._stats.chunks:
                yield _chunk_table(self._stats.chunks[:_MOST_ROWS])
            if (more := len(self._stats.chunks) - _MOST_ROWS) > 0:
                yield Static(f"and {figures.count(more, 'more chunk')}", classes="note")
            yield Static("Cost", classes="heading")
            yield Facts(figures.cost(self._stats))


def _chunk_table(chunks: Sequence[Chosen]) -> DataTable[Text]:
    table: DataTable[Text] = DataTable(cursor_type="row", zebra_stripes=True)
    table.add_columns("score", "document", "chunk", "pages", "section")
    for chunk in chunks:
        pages = "" if chunk.pages is None else "-".join(map(str, dict.fromkeys(chunk.pages)))
        # Text, for a plain string would be read as markup.
        cells = (f"{chunk.score:.3f}", chunk.name, str(chunk.number + 1), pages, " > ".join(chunk.headings))
        table.add_row(*(Text(cell, no_wrap=True) for cell in cells))
    return table
