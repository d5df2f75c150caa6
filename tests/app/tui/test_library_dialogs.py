"""The dialogs about documents: what they show, what they close with, and how they look."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Button, Checkbox, Input, RadioSet, Static

from tests.app.tui.hosts import Host
from tests.app.tui.test_library_panel import PanelApp, job, stored
from thoth.errors import DocumentError
from thoth.events import Progress
from thoth.ingest import Block, Document
from thoth.tui.folder_entries import Entry, entries
from thoth.tui.pages import segments
from thoth.tui.screens import file_picker
from thoth.tui.screens.confirm import Confirm
from thoth.tui.screens.document import DocumentScreen, describe
from thoth.tui.screens.export import ExportPlan, ExportScreen
from thoth.tui.screens.file_picker import FilePicker
from thoth.tui.screens.rename import Rename
from thoth.tui.widgets.absorb_queue import JobState
from thoth.tui.widgets.file_list import FileList
from thoth.tui.widgets.library_panel import LibraryPanel


async def until(pilot: Pilot, condition: Callable[[], object]) -> None:
    while not condition():
        assert pilot.app.is_running
        await pilot.pause()


async def closed_with(dialog: Any, *keys: str) -> object:
    app = Host(dialog)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*keys)
        await until(pilot, lambda: app.results)
        return app.results[0]


@pytest.mark.parametrize(
    ("keys", "answer"),
    [(["y"], True), (["n"], False), (["enter"], False), (["escape"], None), (["shift+tab", "enter"], True)],
)
async def test_confirm(keys: list[str], answer: bool | None) -> None:
    assert await closed_with(Confirm("Remove [b]x?", "It is gone then.", "Remove"), *keys) is answer


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        (["!", "enter"], "a [b]name!"),
        (["enter"], None),
        (["escape"], None),
        (["tab", "tab", "enter"], None),
        ([*["backspace"] * 20, "enter", "n", "enter"], "n"),  # an empty one is not taken
    ],
)
async def test_rename(keys: list[str], name: str | None) -> None:
    dialog = Rename("Collections of a[/b].txt", "a [b]name")  # no markup: it would end the app
    app = Host(dialog)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end", *keys)
        await until(pilot, lambda: app.results)
        assert app.results == [name]


async def test_export_offers_the_active_documents_too() -> None:
    chosen, active = [stored(1, "A report [1].pdf")], [stored(2, active=True), stored(3, active=True)]
    app = Host(ExportScreen(chosen, active, Path("/out")))
    async with app.run_test(size=(80, 24)) as pilot:
        dialog = app.screen
        assert dialog.query_one("#destination", Input).value == "/out/A-report--1-adapter"
        labels = [str(button.label) for button in dialog.query_one("#what", RadioSet).query("RadioButton")]
        assert labels == ["A report [1].pdf", "all 2 active documents"]
        dialog.query_one("#what", RadioSet).query("RadioButton").last().value = True
        dialog.query_one("#format", RadioSet).query("RadioButton").last().value = True
        dialog.query_one("#force", Checkbox).value = True
        await pilot.pause()
        dialog.query_one("#export", Button).press()
        await until(pilot, lambda: app.results)
    assert app.results == [ExportPlan(active, "peft", Path("/out/A-report--1-adapter"), True)]


async def test_export_needs_a_folder_and_offers_no_other_documents_where_there_are_none() -> None:
    app = Host(ExportScreen([stored(1, active=True)], [stored(1, active=True)], Path("/out")))
    async with app.run_test(size=(80, 24)) as pilot:
        assert len(app.screen.query("#what RadioButton")) == 1
        app.screen.query_one("#destination", Input).value = "  "
        await pilot.pause()
        assert app.screen.query_one("#export", Button).disabled
        app.screen.query_one("#destination", Input).focus()
        await pilot.press("enter")
        assert not app.results
        await pilot.press("escape")
        assert app.results == [None]


# The text of a document


def paged(*pages: str) -> Document:
    text = "\n\n".join(pages)
    blocks, at = [], 0
    for number, page in enumerate(pages, 1):
        if page.strip():
            blocks.append(Block("paragraph", at, at + len(page), (), number))
        at += len(page) + 2
    return Document("paged.pdf", text, len(pages), tuple(blocks))


def test_segments_are_pages() -> None:
    document = paged("one", "two", "", "four")  # page 3 is a picture
    assert [(one.page, document.text[one.start : one.end].strip()) for one in segments(document)] == [
        (1, "one"), (2, "two"), (4, "four"),
    ]  # fmt: skip


TEXTS = {"words": "word " * 9000, "one word": "x" * 30_000, "lines": "a line\n" * 3000, "short": "short"}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_segments_of_any_text_are_short_and_leave_nothing_out(text: str) -> None:
    for document in (Document("a", text), paged(text, text)):
        found = segments(document)
        assert "".join(document.text[piece.start : piece.end] for piece in found) == document.text
        assert all(0 < piece.end - piece.start <= 8000 for piece in found)


class FakeLibrary:
    def __init__(self, document: Document | None) -> None:
        self.stored = document

    def document(self, id: str) -> Document:
        if self.stored is None:
            raise DocumentError(f"document {id} is not in the library [any more]")
        return self.stored


async def test_the_text_is_read_page_by_page() -> None:
    library = FakeLibrary(paged("first [b]page[/b]", "second page", "", "fourth page"))
    app = Host(DocumentScreen(library, stored(1, pages=4), "mine"))  # type: ignore[arg-type]
    async with app.run_test(size=(80, 24)) as pilot:
        text = app.screen.query_one("#text > Static", Static)

        async def shows(page: str, number: str) -> None:
            await until(pilot, lambda: str(text.content) == page)
            assert app.screen.query_one(Input).value == number
            assert str(app.screen.query_one("#total", Static).content) == "of 4"

        await shows("first [b]page[/b]", "1")
        await pilot.press("p")
        await shows("first [b]page[/b]", "1")
        await pilot.press("n")
        await shows("second page", "2")
        await pilot.press("right", "right", "right")
        await shows("fourth page", "4")
        await pilot.press("g", "backspace", "2", "enter")
        await shows("second page", "2")
        await pilot.press("g", "backspace", "3", "enter")  # has no text: the next one that has
        await shows("fourth page", "4")
        await pilot.press("g", "backspace", "9", "9", "enter")
        await shows("fourth page", "4")
        await pilot.press("g", "backspace", "enter", "left")
        await shows("second page", "2")
        await pilot.press("g", "home", "delete", "-", "enter")  # no number
        await shows("second page", "-")


async def test_a_document_that_cannot_be_read_says_why() -> None:
    app = Host(DocumentScreen(FakeLibrary(None), stored(1), "mine"))  # type: ignore[arg-type]
    async with app.run_test(size=(80, 24)) as pilot:
        text = app.screen.query_one("#text > Static", Static)
        await until(pilot, lambda: "[any more]" in str(text.content))
        await pilot.press("n", "p", "escape")
        assert app.results == [None]


@pytest.mark.parametrize(
    ("changes", "bundle", "line"),
    [
        ({}, "mine", "ready, not used for answers"),
        ({"active": True}, "mine", "ready, used for answers"),
        (
            {"complete": False, "absorbed": 3},
            "mine",
            "3 of 8 chunks absorbed; U finishes it, not used for answers",
        ),
        ({}, "another", "absorbed with another model; U absorbs it again, not used for answers"),
    ],
)
def test_facts(changes: dict[str, Any], bundle: str, line: str) -> None:
    assert describe(stored(1, **changes), bundle).splitlines()[0] == line


# Choosing files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "Papers").mkdir(parents=True)
    for name in ("alpha.txt", "alpine.txt", "beta [red].pdf", ".hidden.txt", "Papers/inside.txt"):
        (folder / name).write_text("text")
    return folder


def names(app: Host) -> list[str]:
    return [entry.path.name for entry in app.screen.query_one(FileList).rows]


async def picked(folder: Path, *keys: str) -> object:
    app = Host(FilePicker(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(app))
        for key in keys:
            await pilot.press(key)
            await app.workers.wait_for_complete()
            await pilot.pause()
        await until(pilot, lambda: app.results)
        return app.results[0]


async def test_a_path_is_typed_and_completed(folder: Path) -> None:
    assert await picked(folder, "a", "l", "p", "i", "tab", "enter") == [str(folder / "alpine.txt")]
    assert await picked(folder, "a", "tab", "h", "tab", "enter") == [str(folder / "alpha.txt")]
    assert await picked(folder, "P", "tab", "i", "tab", "enter") == [str(folder / "Papers" / "inside.txt")]
    assert await picked(folder, ".", "tab", "enter") == [str(folder / ".hidden.txt")]


async def test_folders_are_walked_through_and_files_marked(folder: Path) -> None:
    # Into Papers, mark the file there, up again (the cursor is on Papers), down to beta, take both.
    keys = ["down", "enter", "space", "backspace", "down", "down", "down", "enter"]
    assert await picked(folder, *keys) == [str(folder / "Papers" / "inside.txt"), str(folder / "beta [red].pdf")]


async def test_a_folder_can_be_marked_and_the_button_pressed(folder: Path) -> None:
    assert await picked(folder, "down", "space", "tab", "enter") == [str(folder / "Papers")]


async def test_an_address_is_taken_as_it_is(folder: Path) -> None:
    address = "http://example.org/a.pdf"
    app = Host(FilePicker(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        app.screen.query_one(Input).value = address
        await pilot.press("enter")
        await until(pilot, lambda: app.results)
    assert app.results == [[address]]


async def test_what_is_not_there_is_said(folder: Path) -> None:
    app = Host(FilePicker(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        note = app.screen.query_one("#note", Static)
        await until(pilot, lambda: names(app) == ["Papers", "alpha.txt", "alpine.txt", "beta [red].pdf"])
        await pilot.press("z", "enter")
        await until(pilot, lambda: str(note.content) == f"There is no file {folder}/z")
        app.screen.query_one(Input).value = str(folder / "nowhere") + "/"
        await until(pilot, lambda: "cannot read the folder" in str(note.content))
        assert names(app) == []
        await pilot.press("escape")
        assert app.results == [None]


async def test_files_can_be_dropped_on_the_picker(folder: Path) -> None:
    app = Host(FilePicker(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(app))
        app.screen.query_one(Input).post_message(events.Paste(f"{folder}/alpha.txt\n{folder}/Papers"))
        await until(pilot, lambda: app.results)
    assert app.results == [[str(folder / "alpha.txt"), str(folder / "Papers")]]


async def test_a_pasted_text_is_written(folder: Path) -> None:
    app = Host(FilePicker(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        field = app.screen.query_one(Input)
        for text in ("beta", "/no/such/place"):
            field.value = ""
            field.post_message(events.Paste(text))
            await until(pilot, lambda: field.value == text)  # noqa: B023


def test_entries_leave_out_what_is_no_file(folder: Path) -> None:
    (folder / "loop").symlink_to(folder / "loop")
    assert [entry.path.name for entry in entries(folder)] == [
        "Papers", ".hidden.txt", "alpha.txt", "alpine.txt", "beta [red].pdf",
    ]  # fmt: skip


# How they look


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


ROWS = [
    stored(1, "Maintenance manual [rev. 7].pdf", active=True, pages=312, chunks=640, tokens=248_120),
    stored(2, "harbour notes.md", pages=None, chunks=2, tokens=310, active=True),
    stored(3, "A survey of hypernetworks for language models.pdf", complete=False, absorbed=3),
    stored(4, "minutes of March.docx", pages=None, bundle="another"),
]
TEXT = "The mayor of Harpool is [b]Osra Kelland[/b].\n\nShe was a carpenter before."
DIALOGS: dict[str, Callable[[], Any]] = {
    "confirm": lambda: Confirm("Remove minutes of [b]March.docx?", "The file it came from stays.", "Remove"),
    "rename": lambda: Rename("Rename the document", "minutes of March.docx"),
    "export": lambda: ExportScreen(ROWS[2:3], ROWS[:2], Path("/home/ana")),
    "document": lambda: DocumentScreen(FakeLibrary(paged(TEXT, "Page two.")), ROWS[0], "mine"),  # type: ignore[arg-type]
    "file_picker": lambda: FilePicker(Path("/home/ana")),
}


@pytest.mark.parametrize("name", DIALOGS)
def test_how_the_dialogs_look(name: str, snap_compare: Any, utc: None, monkeypatch: pytest.MonkeyPatch) -> None:
    there = [("Papers", True, 0), ("manual [b].pdf", False, 2_400_000), ("notes.txt", False, 310)]
    monkeypatch.setattr(file_picker, "entries", lambda folder: [Entry(folder / n, d, s) for n, d, s in there])

    async def ready(pilot: Pilot) -> None:
        await pilot.app.workers.wait_for_complete()
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        await pilot.pause()

    assert snap_compare(Host(DIALOGS[name]()), terminal_size=(80, 24), run_before=ready)


def test_how_the_library_looks(snap_compare: Any) -> None:
    app = PanelApp(ROWS)

    async def ready(pilot: Pilot) -> None:
        pilot.app.query_one(LibraryPanel).query_one(Input).cursor_blink = False
        pilot.app.queue.jobs = {
            1: JobState(job(1, "survey.pdf"), Progress("absorb", 3, 8, 1234.0, 65.0)),
            2: JobState(job(2, "scan.pdf"), error=DocumentError("scan.pdf has no text in it: it is probably a scan")),
            3: JobState(job(3, "notes [1].txt")),
        }
        await pilot.pause()

    assert snap_compare(app, terminal_size=(80, 24), run_before=ready)
