"""What the library panel and the absorb queue ask for, carried out on a real library with an engine that is none."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Input

from tests.app.tui.library_app import absorbed, running, until, write
from thoth.library.library import Library
from thoth.tui.screens.confirm import Confirm
from thoth.tui.screens.document import DocumentScreen
from thoth.tui.screens.rename import Rename
from thoth.tui.widgets.library_panel import LibraryPanel


async def test_toggles_arrive_in_their_order(home: Path, tmp_path: Path) -> None:
    async with running(home) as pilot:
        [document] = await absorbed(pilot, write(tmp_path / "note.txt"))
        app = pilot.app
        await pilot.press(*["space"] * 5)
        await until(pilot, lambda: not app.library.get(document.id).active and not app.stored[0].active)
        assert app.query_one(LibraryPanel).border_subtitle == "0 of 1 active"
        await pilot.press("ctrl+a")
        await until(pilot, lambda: app.library.get(document.id).active)


async def test_removing_is_confirmed(home: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "note.txt")
    async with running(home) as pilot:
        app = pilot.app
        await absorbed(pilot, path)
        for key in ("escape", "n", "enter"):
            await pilot.press("delete")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            await pilot.press(key)
            await until(pilot, lambda: app.screen is app.main)
        assert len(app.library.documents()) == 1
        await pilot.press("delete")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: app.stored == [])
        assert app.library.documents() == []
        assert path.exists()


async def test_renaming(home: Path, tmp_path: Path) -> None:
    async with running(home) as pilot:
        app = pilot.app
        [document] = await absorbed(pilot, write(tmp_path / "note.txt"))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Rename))
        app.screen.query_one(Input).value = " [b]Velmar 🦉 "
        await pilot.press("enter")
        await until(pilot, lambda: app.stored[0].name == "[b]Velmar 🦉")
        assert app.library.get(document.id).name == "[b]Velmar 🦉"


async def test_details_are_shown(home: Path, tmp_path: Path) -> None:
    async with running(home) as pilot:
        app = pilot.app
        await absorbed(pilot, write(tmp_path / "note.txt"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DocumentScreen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)


async def test_what_another_process_does_is_noticed(home: Path, tmp_path: Path) -> None:
    async with running(home) as pilot:
        app = pilot.app
        [document] = await absorbed(pilot, write(tmp_path / "note.txt"))
        await app.main.desk.library.look_for_changes()
        Library(home).rename(document.id, "renamed elsewhere")
        await app.main.desk.library.look_for_changes()
        await until(pilot, lambda: app.stored[0].name == "renamed elsewhere")


async def test_a_document_that_is_gone_is_said_and_vanishes(home: Path, tmp_path: Path) -> None:
    async with running(home) as pilot:
        app = pilot.app
        [document] = await absorbed(pilot, write(tmp_path / "note.txt"))
        Library(home).remove(document.id)
        await pilot.press("space")
        await until(pilot, lambda: app.said and app.stored == [])
        assert document.id in app.said[-1]


async def test_a_damaged_library_is_explained_and_the_app_lives(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "library.db").write_bytes(b"this is no database, [b]at all" * 200)
    async with running(home) as pilot:
        await until(pilot, lambda: any("library.db is damaged" in text for text in pilot.app.said))
        assert pilot.app.stored == []
