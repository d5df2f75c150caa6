"""Files and folders are absorbed into a real library, listed and cancelled, with an engine that is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from tests.app.tui.library_app import running, until, write
from thoth.library.records import StoredDocument
from thoth.tui.controllers import absorb
from thoth.tui.screens.confirm import Confirm
from thoth.tui.widgets.absorb_queue import AbsorbQueue
from thoth.tui.widgets.library_panel import LibraryPanel


async def test_an_absorbed_file_is_listed_and_active(home: Path, tmp_path: Path) -> None:
    async with running(home) as pilot:
        app = pilot.app
        app.engine.hold("absorb")
        app.main.desk.absorbing.absorb([str(write(tmp_path / "note.txt"))])
        queue = app.query_one(AbsorbQueue)
        await until(pilot, lambda: queue.options and "0/3 chunks" in str(queue.options[0].prompt))
        app.engine.release("absorb", 2)
        await until(pilot, lambda: "2/3 chunks" in str(queue.options[0].prompt))
        assert app.stored == [] or not app.stored[0].complete
        app.engine.release("absorb", 9)
        await until(pilot, lambda: not queue.display)
        await until(pilot, lambda: app.stored and app.stored[0].complete and app.stored[0].active)
        assert app.query_one(LibraryPanel).border_subtitle == "1 of 1 active"


async def test_a_folder_gives_its_files_and_skips_pictures(home: Path, tmp_path: Path) -> None:
    for name in ("a.txt", "b.md", "deep/c.txt", ".hidden.txt"):
        write(tmp_path / "folder" / name, f"This is {name}, a note about a harbour.")
    (tmp_path / "folder" / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    async with running(home) as pilot:
        app = pilot.app
        app.main.desk.absorbing.absorb([str(tmp_path / "folder")])
        await until(pilot, lambda: app.said)
        await until(pilot, lambda: len(app.stored) == 3 and not app.main.jobs)
        assert sorted(document.name for document in app.stored) == ["a.txt", "b.md", "c.txt"]
        assert app.said == ["Skipped 1 unsupported file"]


async def test_a_picture_that_was_named_is_an_error(home: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    async with running(home) as pilot:
        app, queue = pilot.app, pilot.app.query_one(AbsorbQueue)
        app.main.desk.absorbing.absorb([str(picture), str(tmp_path / "gone.txt")])
        await until(pilot, lambda: len(app.main.jobs) == 2 and all(s.error for s in app.main.jobs.values()))
        await pilot.pause()
        assert "picture.png" in str(queue.options[0].prompt)
        assert f"there is no file {tmp_path}/gone.txt: check the name" in str(queue.options[1].prompt)
        queue.focus()
        await pilot.press("x")
        await until(pilot, lambda: len(app.main.jobs) == 1)
        assert app.stored == []


async def test_a_folder_of_many_files_is_asked_about(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absorb, "MANY_FILES", 2)
    for name in "abc":
        write(tmp_path / "folder" / f"{name}.txt", name)
    async with running(home) as pilot:
        app = pilot.app
        for key, count in (("n", 0), ("escape", 0), ("y", 3)):
            app.main.desk.absorbing.absorb([str(tmp_path / "folder")])
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            yes = app.screen.query_one("#yes", Button)
            assert (str(yes.label), yes.variant) == ("Absorb", "primary")
            await pilot.press(key)
            await until(pilot, lambda: app.screen is app.main)
            await until(pilot, lambda: not app.main.jobs and len(app.stored) == count)  # noqa: B023
        assert app.said == []


async def test_an_empty_folder_is_said(home: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    async with running(home) as pilot:
        pilot.app.main.desk.absorbing.absorb([str(tmp_path / "folder")])
        await until(pilot, lambda: pilot.app.said == ["Found no documents to absorb"])


async def test_a_cancelled_job_keeps_what_is_done_and_goes_on_there(home: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "note.txt")
    async with running(home) as pilot:
        app, queue = pilot.app, pilot.app.query_one(AbsorbQueue)
        app.engine.hold("absorb")
        app.main.desk.absorbing.absorb([str(path)])
        await until(pilot, lambda: queue.options)
        app.engine.release("absorb", 1)
        await until(pilot, lambda: queue.options and "1/3" in str(queue.options[0].prompt))
        queue.focus()
        await pilot.press("x")
        await until(pilot, lambda: not app.main.jobs)
        app.engine.release("absorb", 1)  # the step that waits; the job ends behind it
        await until(pilot, lambda: app.stored and app.stored[0].absorbed and not app.stored[0].complete)
        done = app.library.missing(app.stored[0].id)
        assert len(done) < 3
        app.engine.release("absorb", 9)
        [document] = await absorbed_again(pilot, path)
        assert document.complete


async def absorbed_again(pilot: Pilot[None], path: Path) -> list[StoredDocument]:
    app = pilot.app
    app.main.desk.absorbing.absorb([str(path)])
    await until(pilot, lambda: app.stored[0].complete and not app.main.jobs)
    return app.stored
