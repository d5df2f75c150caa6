"""The SQLite layer under library and chats: only the user can read it, and what is deleted is gone from the disk."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.app import made_up
from thoth import settings
from thoth.chats.sessions import Sessions, Turn
from thoth.errors import ThothError
from thoth.library.library import Library
from thoth.system import crash_log
from thoth.system.sqlite import Database, Schema, version

SCHEMA = Schema("list of marks", "make them again", table="marks", steps=(("CREATE TABLE marks (mark TEXT)",),))


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """The umask under which everybody may read what a program creates."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(home: Path) -> dict[str, str]:
    """Every file and folder of a home, with its mode."""
    return {
        str(path.relative_to(home.parent)): oct(stat.S_IMODE(path.stat().st_mode)) for path in (home, *home.rglob("*"))
    }


def fill(home: Path) -> tuple[Library, Sessions, str, str]:
    """A home with a document and a chat that both say something secret; also the ids of both."""
    library, sessions = Library(home), Sessions(home)
    stored = made_up.absorb(library, made_up.document(["The xylophone secret.", "Another sentence."]))
    made_up.absorb(library, made_up.document(["A note that stays."]))
    session = sessions.create("xylophone?")
    sessions.put(session, Turn(0, "xylophone?", "xylophone!", "done"))
    return library, sessions, stored.id, session.id


def test_only_the_user_can_read_a_home(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    library, sessions, *_ = fill(home)
    found = modes(home)
    assert {"home/library.db-wal", "home/sessions.db-wal"} <= found.keys()  # while they are open, too
    for name, mode in found.items():
        assert mode == ("0o600" if Path(name).suffix else "0o700"), name
    assert stat.S_IMODE(home.parent.stat().st_mode) == 0o700
    library.close()
    sessions.close()


def test_databases_of_an_older_thoth_become_private(home: Path) -> None:
    for kept in fill(home)[:2]:
        kept.close()
    for name in ("library.db", "sessions.db"):
        (home / name).chmod(0o644)
    assert len(Library(home).documents()) == 2
    assert len(Sessions(home).find()) == 1
    assert {modes(home)[f"home/{name}"] for name in ("library.db", "sessions.db")} == {"0o600"}


def test_the_copy_of_a_damaged_database_is_private(home: Path) -> None:
    home.mkdir()
    (home / "sessions.db").write_bytes(b"damaged " * 1000)
    with pytest.raises(ThothError, match=r"a copy is kept as sessions-damaged-\w{8}.db"):
        Sessions(home).find()
    (copy,) = home.glob("sessions-damaged-*")
    assert copy.read_bytes() == (home / "sessions.db").read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


@pytest.mark.parametrize("sqlite_version", [(3, 37, 0), sqlite3.sqlite_version_info])
def test_what_is_removed_is_in_no_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, sqlite_version: tuple[int, int, int]
) -> None:
    library, sessions, document, chat = fill(home)

    def files_with(word: bytes) -> set[str]:
        return {path.name for path in home.rglob("*") if path.is_file() and word in path.read_bytes().lower()}

    assert files_with(b"xylophon") == {"library.db-wal", "sessions.db-wal"}
    monkeypatch.setattr(sqlite3, "sqlite_version_info", sqlite_version)
    library.remove(document)
    sessions.remove(chat)
    assert files_with(b"xylophon") == set()
    assert [found.number for found, _ in library.search("stays", [library.documents()[0].id], 5)] == [0]
    assert library.repair() == []


def test_a_database_takes_the_steps_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "marks.db"
    with Database(path, SCHEMA).writing() as connection:
        connection.execute("INSERT INTO marks VALUES ('old')")
    newer = replace(SCHEMA, steps=(*SCHEMA.steps, ("ALTER TABLE marks ADD COLUMN place TEXT DEFAULT 'here'",)))
    with Database(path, newer).reading() as connection:
        assert connection.execute("SELECT * FROM marks").fetchall() == [("old", "here")]
        assert version(connection) == 2
    with pytest.raises(ThothError, match="newer Thoth"), Database(path, SCHEMA).reading():
        pass


def test_a_database_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "marks.db"
    with Database(path, SCHEMA).writing():
        pass
    other = replace(SCHEMA, contents="library", table="documents")
    with pytest.raises(ThothError, match="it holds no library"), Database(path, other).reading():
        pass


def test_whatever_makes_the_home_first_makes_it_private(home: Path) -> None:
    settings.save(home / "settings.toml", theme="nord")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert crash_log.keep(ValueError("a secret")).endswith(str(home / "error.log"))
    assert crash_log.keep(ValueError("another")).endswith(str(home / "error.log"))
    assert "ValueError: another" in (home / "error.log").read_text()
    assert stat.S_IMODE((home / "error.log").stat().st_mode) == 0o600
