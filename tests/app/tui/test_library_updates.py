"""Documents of a real library are updated from their files and addresses, with an engine that is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Button

from tests.app.tui import fakes
from tests.app.tui.library_app import LibraryApp, absorbed, running, until, write
from thoth import ingest
from thoth.actions import sources, update
from thoth.events import Absorbed
from thoth.ingest import Document
from thoth.library.records import StoredDocument
from thoth.tui.messages import AbsorbDone, AbsorbMessage
from thoth.tui.screens.confirm import Confirm
from thoth.tui.widgets.document_list import DocumentList


async def test_an_update_reads_a_changed_file_and_keeps_name_and_place(home: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "note.txt")
    async with running(home) as pilot:
        app = pilot.app
        [old] = await absorbed(pilot, path)
        app.library.rename(old.id, "Velmar")
        app.library.activate([old.id], False)
        app.main.desk.library.refresh()
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
        app.main.desk.library.refresh()
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
        app.main.desk.library.refresh()
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
        app.main.desk.library.refresh()
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
