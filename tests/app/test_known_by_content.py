"""A file that changed is found by its size and its bytes, whatever the clock says; one that did not is left alone."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app import made_up
from thoth import ingest
from thoth.actions import update
from thoth.engine.absorbing import Cutter, prepare
from thoth.ingest import stamps
from thoth.library.library import Library
from thoth.library.records import StoredDocument

FIRST, SECOND = "The founder of Velmar is Ana Dor.", "The founder of Velmar is Bea Dor."
READ = ingest.read  # the tests note what is read besides
Absorb = Callable[[Path], StoredDocument]


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


@pytest.fixture
def absorb(library: Library) -> Absorb:
    return lambda path: made_up.absorb(library, READ(path), str(path))


def reason(library: Library, stored: StoredDocument) -> str | None:
    found = update.find(library, library.get(stored.id), made_up.BUNDLE)
    return None if found is None else found.reason


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read by `docs update`."""
    seen: list[str] = []
    read = ingest.read

    def noted(place: str, options: ingest.Options) -> ingest.Document:
        seen.append(place)
        return read(place, options)

    monkeypatch.setattr(ingest, "read", noted)
    return seen


def test_a_clock_that_was_set_back(library: Library, absorb: Absorb, note: Path, home: Path) -> None:
    note.write_text(FIRST)
    stored = absorb(note)
    library.close()
    with sqlite3.connect(home / "library.db") as database:  # as if it came in tomorrow
        database.execute("UPDATE documents SET added = added + 86400")
    database.close()
    note.write_text(SECOND)
    os.utime(note, (1, 1))
    assert reason(library, stored) == "changed"


def test_another_file_of_the_same_size_and_time(library: Library, absorb: Absorb, note: Path, tmp_path: Path) -> None:
    note.write_text(FIRST)
    stored, before = absorb(note), note.stat()
    other = tmp_path / "other.txt"
    other.write_text(SECOND)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(other, note)
    after = note.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert reason(library, stored) == "changed"


def test_a_file_written_in_place_with_its_old_time(library: Library, absorb: Absorb, note: Path) -> None:
    note.write_text(FIRST)
    stored, before = absorb(note), note.stat()
    with note.open("r+") as file:
        file.write(SECOND)
    os.utime(note, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert reason(library, stored) == "changed"


def test_a_touched_file_is_neither_read_nor_absorbed_again(
    library: Library, absorb: Absorb, note: Path, reads: list[str]
) -> None:
    note.write_text(FIRST)
    stored = absorb(note)
    for time in (1, 2_000_000_000):
        os.utime(note, (time, time))
        assert reason(library, stored) is None
    copy = note.with_name("copy")
    copy.write_text(FIRST)
    os.replace(copy, note)
    assert reason(library, stored) is None
    assert reads == []
    assert library.stamp(stored.id) == stamps.of(note)


def test_other_bytes_with_the_same_text_are_noted_once(
    library: Library, absorb: Absorb, tmp_path: Path, reads: list[str]
) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"<p>{FIRST}</p>")
    stored = absorb(page)
    page.write_text(f"<p   >{FIRST}</p>")
    assert reason(library, stored) is None
    assert reason(library, stored) is None
    assert reads == [str(page)]


def test_a_document_from_before_stamps_is_read_once(
    library: Library, absorb: Absorb, note: Path, home: Path, reads: list[str]
) -> None:
    note.write_text(FIRST)
    stored = absorb(note)
    with sqlite3.connect(home / "library.db") as database:
        database.execute("UPDATE documents SET stamp = NULL")
    database.close()
    assert reason(library, stored) is None
    assert reason(library, stored) is None
    assert reads == [str(note)]
    note.write_text(SECOND)
    assert reason(library, stored) == "changed"


def test_a_renamed_file_is_followed_in_its_folder(library: Library, absorb: Absorb, note: Path) -> None:
    note.write_text(FIRST)
    note.with_name("same size.txt").write_text(SECOND)
    stored = absorb(note)
    moved = note.rename(note.with_name("founders.txt"))
    assert reason(library, stored) is None
    now = library.get(stored.id)
    assert (now.source, now.name) == (str(moved), "founders.txt")
    moved.write_text(SECOND)
    assert reason(library, stored) == "changed"


def test_a_name_of_ones_own_survives_renaming_the_file(library: Library, absorb: Absorb, note: Path) -> None:
    note.write_text(FIRST)
    stored = absorb(note)
    library.rename(stored.id, "lamps")
    note.rename(note.with_name("founders.txt"))
    assert reason(library, stored) is None
    assert library.get(stored.id).name == "lamps"


def test_a_file_that_is_gone_keeps_its_document(library: Library, absorb: Absorb, note: Path) -> None:
    note.write_text(FIRST)
    stored = absorb(note)
    note.unlink()
    assert reason(library, stored) is None
    assert library.get(stored.id) == stored


def test_a_moved_file_that_is_absorbed_again_is_known_at_its_new_place(
    library: Library, absorb: Absorb, note: Path, tmp_path: Path
) -> None:
    note.write_text(FIRST)
    stored = absorb(note)
    (tmp_path / "elsewhere").mkdir()
    moved = note.rename(tmp_path / "elsewhere" / "moved.txt")
    cutter = Cutter(made_up.BUNDLE, None, 256, (), ())
    prepared = prepare(library, ingest.read(moved), cutter, "meaning", str(moved))
    assert prepared.ids == []
    assert (prepared.stored.id, prepared.stored.source) == (stored.id, str(moved))
    moved.write_text(SECOND)
    assert reason(library, stored) == "changed"


def test_a_copy_leaves_the_source_where_it_is(library: Library, absorb: Absorb, note: Path) -> None:
    note.write_text(FIRST)
    stored = absorb(note)
    copy = note.with_name("copy.txt")
    copy.write_text(FIRST)
    prepared = prepare(library, ingest.read(copy), Cutter(made_up.BUNDLE, None, 256, (), ()), "meaning", str(copy))
    assert prepared.stored == stored


def test_a_folder_that_is_one_document(tmp_path: Path) -> None:
    folder = tmp_path / "note.textbundle"
    folder.mkdir()
    (folder / "info.json").write_text("{}")
    (folder / "text.md").write_text(FIRST)
    first = stamps.of(folder)
    os.utime(folder / "text.md", (1, 1))
    assert stamps.of(folder) == first
    (folder / "text.md").write_text(SECOND)
    second = stamps.of(folder)
    assert first is not None
    assert second is not None
    assert not second.is_of(first)


def test_what_cannot_be_read_has_no_stamp(tmp_path: Path) -> None:
    assert stamps.of(tmp_path / "missing") is None
    assert stamps.of(Path(os.devnull)) is None
