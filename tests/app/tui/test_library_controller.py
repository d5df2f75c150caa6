"""What the library panel and the absorb queue ask for, carried out on a real library with an engine that is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Button, Input

from tests.app.tui import fakes
from tests.app.tui.fakes import FakeEngine
from tests.app.tui.hosts import PATIENCE_SECONDS
from thoth import ingest
from thoth.actions import export as exporting
from thoth.actions import sources, update
from thoth.actions.export import Format
from thoth.engine.engine import Engine
from thoth.events import Absorbed, Answer, Failed
from thoth.ingest import Document
from thoth.library.library import Library
from thoth.library.records import StoredDocument
from thoth.models import registry
from thoth.tui import app
from thoth.tui.app import ThothApp
from thoth.tui.controllers import absorb
from thoth.tui.messages import AbsorbDone, AbsorbMessage
from thoth.tui.screens.confirm import Confirm
from thoth.tui.screens.document import DocumentScreen
from thoth.tui.screens.export import ExportScreen
from thoth.tui.screens.main import MainScreen
from thoth.tui.screens.rename import Rename
from thoth.tui.widgets.absorb_queue import AbsorbQueue
from thoth.tui.widgets.document_list import DocumentList
from thoth.tui.widgets.library_panel import LibraryPanel


class LibraryApp(ThothApp):
    CSS_PATH = Path(app.__file__).parent / str(ThothApp.CSS_PATH)  # else it would be looked for beside this file

    def __init__(self, home: Path) -> None:
        super().__init__(home, None, lambda _: self.engine)
        self.engine = FakeEngine(self.library)
        self.told: list[Message] = []

    def _to_main(self, message: Message) -> None:
        self.told.append(message)
        super()._to_main(message)

    @property
    def main(self) -> MainScreen:
        screen = self.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    @property
    def stored(self) -> list[StoredDocument]:
        """What the screen knows."""
        return [*self.main.documents]

    @property
    def said(self) -> list[str]:
        return [notification.message for notification in self._notifications]


Run = Callable[[], "AsyncIterator[Pilot[None]]"]


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[Pilot[None]]:
    app = LibraryApp(home)
    home.mkdir(parents=True, exist_ok=True)
    (home / "nano-introduced").touch()  # else a dialog comes first
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.main.bundle == fakes.BUNDLE)
        app.query_one(DocumentList).focus()
        yield pilot


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            assert pilot.app.is_running
            await pilot.pause()
            await asyncio.sleep(0)


def write(path: Path, text: str = "Ana Dor founded Velmar in a small harbour town.") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


async def absorbed(pilot: Pilot[None], *paths: Path) -> list[StoredDocument]:
    """Absorb files and return the documents of the library."""
    app = pilot.app
    count = len(app.stored) + len(paths)
    app.main.absorbing.absorb([str(path) for path in paths])
    await until(pilot, lambda: len(app.stored) == count and all(d.complete and d.active for d in app.stored))
    await until(pilot, lambda: not app.main.jobs)
    return app.stored


async def test_an_absorbed_file_is_listed_and_active(home: Path, tmp_path: Path) -> None:
    async with running(home) as pilot:
        app = pilot.app
        app.engine.hold("absorb")
        app.main.absorbing.absorb([str(write(tmp_path / "note.txt"))])
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
        app.main.absorbing.absorb([str(tmp_path / "folder")])
        await until(pilot, lambda: app.said)
        await until(pilot, lambda: len(app.stored) == 3 and not app.main.jobs)
        assert sorted(document.name for document in app.stored) == ["a.txt", "b.md", "c.txt"]
        assert app.said == ["Skipped 1 unsupported file"]


async def test_a_picture_that_was_named_is_an_error(home: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    async with running(home) as pilot:
        app, queue = pilot.app, pilot.app.query_one(AbsorbQueue)
        app.main.absorbing.absorb([str(picture), str(tmp_path / "gone.txt")])
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
            app.main.absorbing.absorb([str(tmp_path / "folder")])
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
        pilot.app.main.absorbing.absorb([str(tmp_path / "folder")])
        await until(pilot, lambda: pilot.app.said == ["Found no documents to absorb"])


async def test_a_cancelled_job_keeps_what_is_done_and_goes_on_there(home: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "note.txt")
    async with running(home) as pilot:
        app, queue = pilot.app, pilot.app.query_one(AbsorbQueue)
        app.engine.hold("absorb")
        app.main.absorbing.absorb([str(path)])
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
    app.main.absorbing.absorb([str(path)])
    await until(pilot, lambda: app.stored[0].complete and not app.main.jobs)
    return app.stored


async def test_toggles_arrive_in_their_order(home: Path, tmp_path: Path) -> None:
    async with running(home) as pilot:
        [document] = await absorbed(pilot, write(tmp_path / "note.txt"))
        app = pilot.app
        await pilot.press(*["space"] * 5)
        await until(pilot, lambda: not app.library.get(document.id).active and not app.stored[0].active)
        assert app.query_one(LibraryPanel).border_subtitle == "0 of 1 active"
        await pilot.press("a")
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


async def test_an_update_reads_a_changed_file_and_keeps_name_and_place(home: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "note.txt")
    async with running(home) as pilot:
        app = pilot.app
        [old] = await absorbed(pilot, path)
        app.library.rename(old.id, "Velmar")
        app.library.activate([old.id], False)
        app.main.library.refresh()
        await until(pilot, lambda: app.stored[0].name == "Velmar" and not app.stored[0].active)
        await pilot.press("u")  # nothing changed
        await until(pilot, lambda: done_with(app, old))
        assert app.engine.absorbed == ["note.txt"]
        assert [(d.id, d.active) for d in app.library.documents()] == [(old.id, False)]
        write(path, "Velmar makes lamps now, and Ana Dor has left.")
        await pilot.press("u")
        await until(pilot, lambda: app.stored and app.stored[0].id != old.id and app.stored[0].complete)
        await until(pilot, lambda: not app.main.jobs)
        [new] = app.library.documents()
        assert (new.name, new.active, new.source) == ("Velmar", False, str(path))
        assert "lamps" in app.library.document(new.id).text


def done_with(app: LibraryApp, document: StoredDocument) -> bool:
    """Whether the last message about a job was that it ended with this document."""
    jobs = [message for message in app.told if isinstance(message, AbsorbMessage)]
    return isinstance(jobs[-1], AbsorbDone) and jobs[-1].document.id == document.id


async def test_an_update_keeps_the_chunking(home: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "note.txt")
    async with running(home) as pilot:
        app = pilot.app
        app.told.clear()
        [*_, event] = app.engine.absorb(path, chunking="tokens", source_name=str(path))
        assert isinstance(event, Absorbed)
        old = event.document
        app.main.library.refresh()
        await until(pilot, lambda: app.stored == [old])
        for keys in "uU":
            app.told.clear()
            await pilot.press(keys)
            await until(pilot, lambda: app.told and done_with(app, old))
        assert app.engine.absorbed == ["note.txt"]
        write(path, "Velmar makes lamps now, and Ana Dor has left.")
        await pilot.press("u")
        await until(pilot, lambda: app.stored and app.stored[0].id != old.id and app.stored[0].complete)
        assert app.stored[0].chunking == "tokens"


async def test_only_an_update_of_one_document_fetches_web_pages(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[bool] = []
    find = update.find

    def noted(*arguments: Any, fetch: bool, **_: Any) -> Any:
        fetched.append(fetch)
        return find(*arguments, fetch=False)

    monkeypatch.setattr(update, "find", noted)
    monkeypatch.setattr(sources, "is_private", lambda _: False)
    async with running(home) as pilot:
        app = pilot.app
        note = Document("page", "Ana Dor founded Velmar in a small harbour town.")
        [*_, event] = app.engine.absorb(note, source_name="https://example.org/page")
        app.main.library.refresh()
        await until(pilot, lambda: app.stored == [event.document])
        for keys in "uU":
            app.told.clear()
            await pilot.press(keys)
            await until(pilot, lambda: app.told and done_with(app, event.document))
    assert fetched == [True, False]


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_private_page_is_fetched_again_if_the_user_allows_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    address, fetched = "http://127.0.0.1:9/page.html", []

    def read(place: str, options: ingest.Options) -> Document:
        fetched.append((place, options.allow_private))
        return Document("page.html", "The new page.")

    monkeypatch.setattr(ingest, "read", read)
    monkeypatch.setattr(sources, "is_private", lambda _: True)
    async with running(home) as pilot:
        app = pilot.app
        [*_, event] = app.engine.absorb(Document("page.html", "The old page."), source_name=address)
        app.main.library.refresh()
        await until(pilot, lambda: app.stored == [event.document])
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.click(app.screen.query_one("#yes" if allowed else "#no", Button))
        await until(pilot, lambda: not isinstance(app.screen, Confirm))
        if allowed:
            await until(pilot, lambda: app.stored and app.stored[0].id != event.document.id and app.stored[0].complete)
        await pilot.pause()
        assert fetched == [(address, True)] * allowed
        assert app.library.document(app.library.documents()[0].id).text == f"The {'new' if allowed else 'old'} page."


async def test_a_stale_document_without_its_file_is_absorbed_from_the_stored_text(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "note.txt")
    async with running(home) as pilot:
        app = pilot.app
        [old] = await absorbed(pilot, path)
        path.unlink()
        monkeypatch.setattr(fakes, "BUNDLE", "another bundle")
        app.engine.bundle_id = app.main.bundle = "another bundle"
        await pilot.pause()
        assert "stale" in app.query_one(DocumentList).render_line(1).text
        await pilot.press("U")
        await until(pilot, lambda: app.stored and app.stored[0].bundle == "another bundle" and app.stored[0].complete)
        await until(pilot, lambda: not app.main.jobs)
        [new] = app.library.documents()
        assert (new.name, new.active, new.source) == ("note.txt", True, str(path))
        assert "Ana Dor" in app.library.document(new.id).text
        assert new.id != old.id
        assert "stale" not in app.query_one(DocumentList).render_line(1).text


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
        await app.main.library.look_for_changes()
        Library(home).rename(document.id, "renamed elsewhere")
        await app.main.library.look_for_changes()
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


async def test_an_export_says_what_it_wrote_or_why_not(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(home) as pilot:
        app = pilot.app
        await absorbed(pilot, write(tmp_path / "note.txt"))

        async def export() -> None:
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, ExportScreen))
            app.screen.query_one("#destination", Input).value = str(tmp_path / "adapter")
            await pilot.press("tab", "tab")
            app.screen.query_one("#destination", Input).focus()
            await pilot.press("enter")

        # The real thing refuses: the fake's bundle is not that of nano.
        await export()
        await until(pilot, lambda: any("note.txt was absorbed with another model" in text for text in app.said))

        plans: list[Any] = []
        monkeypatch.setattr(exporting, "export", lambda *plan, force: plans.append((*plan, force)) or 8)
        await export()
        await until(pilot, lambda: f"Wrote an adapter of rank 8 to {tmp_path}/adapter" in app.said)
        where, pair, documents, format, destination, force = plans[0]
        assert (where, pair.name, format, destination, force) == (home, "nano", "mlx-lm", tmp_path / "adapter", False)
        assert [(d.name, d.active) for d in documents] == [("note.txt", True)]


async def test_without_a_model_nothing_is_exported(home: Path, tmp_path: Path) -> None:
    async with running(home) as pilot:
        app = pilot.app
        await absorbed(pilot, write(tmp_path / "note.txt"))
        app.engine.hold("load")
        app.client.load("nano")
        await until(pilot, lambda: app.client.pair is None)
        await pilot.press("e")
        await until(pilot, lambda: any("Exporting needs the model" in text for text in app.said))


def test_adapters_are_written_beside_a_running_engine(home: Path, tiny_pair: Path, tmp_path: Path) -> None:
    pair = registry.resolve(str(tiny_pair))
    with Engine(Library(home)) as engine:
        assert not any(isinstance(event, Failed) for event in engine.load(pair))
        *_, absorbed = engine.absorb(write(tmp_path / "note.txt"))
        assert isinstance(absorbed, Absorbed)
        for format in get_args(Format):  # one after the other: threads of MLX are not used twice
            assert exporting.export(home, pair, [absorbed.document], format, tmp_path / format) > 0
            assert (tmp_path / format / "adapter_config.json").exists()
        *_, answer = engine.ask([{"role": "user", "content": "Who?"}], [absorbed.document], max_tokens=2)
        assert isinstance(answer, Answer)
