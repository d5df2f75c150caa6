"""The library panel and the absorb queue by themselves: what they show, and what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.message import Message
from textual.widgets import Input, Static

from thoth.errors import DocumentError
from thoth.events import Progress
from thoth.library.records import StoredDocument
from thoth.tui.messages import AbsorbJob
from thoth.tui.widgets.absorb_queue import AbsorbQueue, JobState, line
from thoth.tui.widgets.document_list import DocumentList, facts
from thoth.tui.widgets.library_panel import LibraryPanel
from thoth.tui.widgets.row_list import cut


def stored(number: int, name: str = "", **changes: Any) -> StoredDocument:
    document = StoredDocument(
        id=f"{number:016x}",
        name=name or f"paper {number}.pdf",
        source=f"/papers/{number}.pdf",
        bundle="mine",
        chunking="meaning",
        complete=True,
        active=False,
        pages=12,
        chunks=8,
        absorbed=8,
        tokens=3120,
        bytes=1_200_000,
        added=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )
    return replace(document, **changes)


class PanelApp(App[None]):
    """A panel and a queue; `said` is what they ask for."""

    CSS = "LibraryPanel { width: 34; }"

    def __init__(self, documents: Sequence[StoredDocument] = ()) -> None:
        super().__init__()
        self.panel = LibraryPanel()
        self.panel.set_reactive(LibraryPanel.documents, documents)
        self.panel.set_reactive(LibraryPanel.bundle, "mine")
        self.queue = AbsorbQueue()
        self.said: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.queue
        yield self.panel

    def on_mount(self) -> None:
        self.panel.query_one(DocumentList).focus()

    @property
    def list(self) -> DocumentList:
        return self.panel.query_one(DocumentList)

    def lines(self) -> list[str]:
        return [self.list.render_line(y).text.rstrip() for y in range(self.list.size.height)]

    async def _on_message(self, message: Message) -> None:
        if type(message).__qualname__.split(".")[0] in ("LibraryPanel", "AbsorbQueue"):
            self.said.append(message)
        await super()._on_message(message)


async def test_a_row_has_box_name_and_facts() -> None:
    rows = [
        stored(1, "a\nb [red]c[/red].pdf", active=True),
        stored(2, pages=None, chunks=1, tokens=80),
        stored(3, complete=False, absorbed=3),
        stored(4, bundle="another"),
        stored(5, "long " * 20),
    ]
    async with PanelApp(rows).run_test(size=(80, 24)) as pilot:
        lines = pilot.app.lines()
        assert lines[:8] == [
            r"[x] a\nb [red]c[/red].pdf",
            "    12 p · 8 ch · 3.1k tok",
            "[ ] paper 2.pdf",
            "    1 ch · 80 tok",
            "[ ] paper 3.pdf",
            "    3 of 8 ch · 12 p",
            "[ ] paper 4.pdf",
            "    stale · 12 p · 8 ch",
        ]
        assert lines[8] == "[ ] long long long long long lo…"
        assert pilot.app.panel.border_subtitle == "1 of 5 active"


@pytest.mark.parametrize(
    ("tokens", "short"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (9949, "9.9k"), (9950, "10k"), (999_499, "999k"), (1_234_567, "1.2M")],
)
async def test_tokens_are_short(tokens: int, short: str) -> None:
    assert facts(stored(1, tokens=tokens), "mine").endswith(f" {short} tok")


@pytest.mark.parametrize(("text", "shown"), [("abc", "abc  "), ("abcdef", "abcd…"), ("日本語", "日本…"), ("", "     ")])
async def test_a_text_is_cut_to_cells(text: str, shown: str) -> None:
    assert cut(text, 5) == shown
    assert cut(text, 0) == ""


async def test_keys_ask_for_things() -> None:
    rows = [stored(number) for number in range(3)]
    async with PanelApp(rows).run_test() as pilot:
        await pilot.press("down", "space", "enter", "delete", "r", "u", "U", "e")
        await pilot.pause()
        id = rows[1].id
        assert pilot.app.said == [
            LibraryPanel.Toggled([id], True),
            LibraryPanel.Open(id),
            LibraryPanel.Remove([id]),
            LibraryPanel.Rename(id),
            LibraryPanel.Update([id], fetch=True),
            LibraryPanel.Update([row.id for row in rows], fetch=False),
            LibraryPanel.Export([id]),
        ]


async def test_a_toggled_box_shows_at_once_and_toggles_back() -> None:
    async with PanelApp([stored(1)]).run_test() as pilot:
        await pilot.press("space")
        assert pilot.app.lines()[0].startswith("[x]")
        await pilot.press("space")
        assert pilot.app.lines()[0].startswith("[ ]")
        assert [message.active for message in pilot.app.said] == [True, False]


async def test_all_that_are_shown_are_toggled_together() -> None:
    rows = [stored(1, "apples"), stored(2, "pears", active=True), stored(3, "red apples")]
    async with PanelApp(rows).run_test() as pilot:
        await pilot.press("slash", *"apples", "enter", "ctrl+a")
        await pilot.press("ctrl+a")
        await pilot.pause()
        ids = [rows[0].id, rows[2].id]
        assert pilot.app.said == [LibraryPanel.Toggled(ids, True), LibraryPanel.Toggled(ids, False)]


async def test_the_filter_looks_at_names_and_states() -> None:
    rows = [stored(1, "Apfel.pdf"), stored(2, "Birne.pdf", bundle="another"), stored(3, "APFEL 2", active=True)]
    async with PanelApp(rows).run_test() as pilot:
        panel, field = pilot.app.panel, pilot.app.query_one(Input)
        for words, found in [("apfel", [0, 2]), ("stale", [1]), ("active", [2]), ("2 apf", [2]), ("", [0, 1, 2])]:
            field.value = words
            await pilot.pause()
            assert [*panel.shown] == [rows[place] for place in found]
        field.value = "plum"
        await pilot.pause()
        assert not pilot.app.list.display
        assert "Esc shows all" in str(panel.query_one(Static).content)
        await pilot.press("escape")
        await pilot.pause()
        assert len(panel.shown) == 3  # the screen puts the focus back into the prompt


async def test_letters_in_the_filter_are_letters() -> None:
    async with PanelApp([stored(1, "rue")]).run_test() as pilot:
        await pilot.press("slash", "r", "u", "e", "backspace", "backspace")
        assert pilot.app.query_one(Input).value == "r"
        assert pilot.app.said == []
        await pilot.press("down")
        assert pilot.app.list.has_focus


async def test_an_empty_library_says_what_to_do() -> None:
    async with PanelApp().run_test() as pilot:
        assert "Drop a PDF" in str(pilot.app.panel.query_one(Static).content)
        pilot.app.panel.query_one(DocumentList).focus()
        await pilot.press("space", "enter", "delete", "r", "u", "U", "e", "t", "ctrl+a", "down", "pagedown", "end")
        assert pilot.app.said == []


async def test_the_cursor_stays_on_its_document() -> None:
    rows = [stored(number) for number in range(10)]
    async with PanelApp(rows).run_test() as pilot:
        await pilot.press("down", "down", "down")
        pilot.app.panel.documents = [stored(20), *rows[2:]]
        await pilot.pause()
        assert pilot.app.list.current == rows[3]
        pilot.app.panel.documents = rows[:2]  # it is gone: the last one there is
        await pilot.pause()
        assert pilot.app.list.current == rows[1]


async def test_stale_comes_and_goes_with_the_bundle() -> None:
    async with PanelApp([stored(1)]).run_test() as pilot:
        pilot.app.panel.bundle = "another"
        await pilot.pause()
        assert "stale" in pilot.app.lines()[1]
        pilot.app.panel.bundle = None
        await pilot.pause()
        assert "stale" not in pilot.app.lines()[1]


async def test_only_what_is_in_view_of_thousands_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: set[str] = set()
    text = DocumentList.text

    def count(self: DocumentList, row: StoredDocument, line: int) -> tuple[str, str]:
        drawn.add(row.id)
        return text(self, row, line)

    monkeypatch.setattr(DocumentList, "text", count)
    async with PanelApp([stored(number) for number in range(5000)]).run_test(size=(80, 24)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        assert pilot.app.list.cursor == 4999
        assert "paper 4999.pdf" in "".join(pilot.app.lines())
        await pilot.press("pageup", "home", "pagedown")
        await pilot.pause()
        assert 0 < pilot.app.list.cursor < 20
        assert len(drawn) < 60


async def test_clicks_on_box_and_row() -> None:
    rows = [stored(number) for number in range(3)]
    async with PanelApp(rows).run_test(size=(80, 24)) as pilot:
        await pilot.click(DocumentList, offset=(1, 2))
        await pilot.click(DocumentList, offset=(8, 4), times=2)
        await pilot.pause()
        assert pilot.app.said == [LibraryPanel.Toggled([rows[1].id], True), LibraryPanel.Open(rows[2].id)]


@pytest.mark.parametrize("size", [(20, 5), (34, 8), (200, 60)])
async def test_any_size_will_do(size: tuple[int, int]) -> None:
    async with PanelApp([stored(number) for number in range(50)]).run_test(size=(80, 24)) as pilot:
        await pilot.press("end")
        await pilot.resize_terminal(*size)
        await pilot.pause()
        assert pilot.app.list.cursor == 49
        await pilot.press("home", "space")
        assert pilot.app.said


def job(number: int, name: str = "") -> AbsorbJob:
    return AbsorbJob(number, f"/papers/{number}.pdf", name or f"{number}.pdf")


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (JobState(job(1)), "1.pdf  waiting"),
        (JobState(job(1), Progress("read", 0, 1)), "1.pdf  reading"),
        (JobState(job(1), Progress("absorb", 0, 4)), "1.pdf  ────────────  0/4 chunks"),
        (
            JobState(job(1), Progress("absorb", 3, 4, 1234.5, 125.0)),
            "1.pdf  ━━━━━━━━━───  3/4 chunks  1,234 tok/s  2 min left",
        ),
        (
            JobState(job(1, "[b]\n.pdf"), error=DocumentError("no [file]: check the name")),
            r"[b]\n.pdf  no [file]: check the name  x dismisses",
        ),
        (
            JobState(job(1, "scan.pdf"), error=DocumentError("scan.pdf has no text in it: run OCR on it")),
            "scan.pdf has no text in it: run OCR on it  x dismisses",
        ),
    ],
)
async def test_a_job_says_how_far_it_is(state: JobState, text: str) -> None:
    assert line(state).plain == text


async def test_the_queue_shows_what_goes_on_first_and_counts_the_rest() -> None:
    async with PanelApp().run_test(size=(80, 24)) as pilot:
        queue = pilot.app.queue
        assert not queue.display
        jobs = {number: JobState(job(number)) for number in range(1, 9)}
        jobs[3] = replace(jobs[3], error=DocumentError("no text"))
        jobs[2] = replace(jobs[2], progress=Progress("absorb", 1, 2))
        queue.jobs = jobs
        await pilot.pause()
        assert queue.display
        assert [str(option.prompt).split()[0] for option in queue.options] == [
            "2.pdf", "3.pdf", "1.pdf", "4.pdf", "5.pdf", "and",
        ]  # fmt: skip
        assert str(queue.options[-1].prompt) == "and 3 more"
        queue.jobs = {}
        await pilot.pause()
        assert not queue.display


async def test_a_job_is_cancelled_and_an_error_dismissed() -> None:
    async with PanelApp().run_test(size=(80, 24)) as pilot:
        queue = pilot.app.queue
        jobs = {number: JobState(job(number)) for number in (1, 2, 3)}
        jobs[1] = replace(jobs[1], progress=Progress("absorb", 1, 2))
        jobs[2] = replace(jobs[2], error=DocumentError("no text"))
        queue.jobs = jobs
        await pilot.pause()
        queue.focus()
        await pilot.press("x", "down", "x")
        # Progress leaves the cursor where it is.
        queue.jobs = {**jobs, 1: replace(jobs[1], progress=Progress("absorb", 2, 2))}
        await pilot.pause()
        assert queue.highlighted == 1
        queue.jobs = {number: state for number, state in queue.jobs.items() if number != 1}
        await pilot.pause()
        await pilot.press("x", "X", "enter")
        await pilot.pause()
        said = pilot.app.said
        assert said[:3] == [AbsorbQueue.Cancel(job(1)), AbsorbQueue.Dismiss(job(2)), AbsorbQueue.Dismiss(job(2))]
        assert said[3:] == [AbsorbQueue.Cancel(job(3)), AbsorbQueue.Dismiss(job(2))]


async def test_collections_are_headings_that_fold_and_toggle() -> None:
    lease, mill = stored(1, "lease.pdf", collections=("contracts",)), stored(2, "mill.txt", active=True)
    both = stored(3, "deed.pdf", collections=("Contracts 2", "contracts"), active=True)
    async with PanelApp([lease, mill, both]).run_test(size=(80, 40)) as pilot:
        app = pilot.app
        await pilot.pause()
        names = [line for line in app.lines() if line and "active" not in line and "tok" not in line]
        assert names == [
            "▾ contracts",
            "[ ] lease.pdf",
            "[x] deed.pdf",
            "▾ Contracts 2",
            "[x] deed.pdf",
            "▾ in no collection",
            "[x] mill.txt",
        ]
        assert "  1 of 2 active" in app.lines()
        await pilot.press("r", "e", "t", "delete")  # of a document only
        await pilot.press("space")
        await pilot.pause()
        assert app.said == [LibraryPanel.Toggled([lease.id], True)]
        assert "  2 of 2 active" in app.lines()
        await pilot.press("enter")
        await pilot.pause()
        assert app.lines()[0] == "▸ contracts"
        assert app.lines()[2] == "▾ Contracts 2"
        await pilot.press("down", "down", "t")
        await pilot.pause()
        assert app.said[1:] == [LibraryPanel.Tag(both.id)]
