"""What a disk does to a library: it is noticed, explained and mended, and nothing is thrown away in silence."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.app import made_up
from thoth.errors import DocumentError, ResourceError, ThothError
from thoth.library.library import Library
from thoth.library.records import ChunkRef, StoredDocument
from thoth.library.schema import SCHEMA
from thoth.system import disk, sqlite

NOTE = made_up.document(["The founder of Velmar is Ana Dor.", "Velmar makes lamps.", "Its lamps are green."])


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


@pytest.fixture
def stored(library: Library) -> StoredDocument:
    stored = made_up.absorb(library, NOTE)
    library.close()
    return stored


def chunk_file(home: Path, stored: StoredDocument, number: int) -> Path:
    return home / "documents" / stored.id / f"{number:05}.safetensors"


def truncated(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def overwritten(whole: bytes) -> bytes:
    return whole[:4096] + b"\xff" * (len(whole) - 4096)


def something_else(_: bytes) -> bytes:
    return b"This was a database once. " * 400


def emptied(_: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [truncated, overwritten, something_else, emptied])
def test_a_damaged_database_is_kept_and_explained(
    home: Path, stored: StoredDocument, damage: Callable[[bytes], bytes]
) -> None:
    path = home / "library.db"
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    for use in (Library.documents, Library.documents, Library.repair, lambda library: made_up.begin(library, NOTE)):
        with pytest.raises(ThothError, match=r"is damaged .* a copy is kept as library-damaged-\w{8}.db"):
            use(Library(home))
    assert path.read_bytes() == damaged
    (copy,) = home.glob("library-damaged-*.db")
    assert copy.read_bytes() == damaged
    assert chunk_file(home, stored, 0).exists()


def test_a_database_of_another_program(home: Path) -> None:
    home.mkdir()
    with sqlite3.connect(home / "library.db") as database:
        database.execute("CREATE TABLE books (title TEXT)")
    database.close()
    with pytest.raises(ThothError, match="it holds no library"):
        Library(home).documents()


def test_a_database_of_a_newer_version(home: Path, stored: StoredDocument) -> None:
    with sqlite3.connect(home / "library.db") as database:
        database.execute(f"PRAGMA user_version = {len(SCHEMA.steps) + 1}")
    database.close()
    with pytest.raises(ThothError, match="update Thoth"):
        Library(home).documents()


def test_a_database_of_an_older_version_is_brought_up_to_date(
    home: Path, stored: StoredDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = ("CREATE TABLE signs (document INTEGER)", "INSERT INTO signs SELECT key FROM documents")
    newer = replace(SCHEMA, steps=(*SCHEMA.steps, step))
    monkeypatch.setattr("thoth.library.reading.SCHEMA", newer)
    assert Library(home).documents() == Library(home).documents() == [stored]
    with sqlite3.connect(home / "library.db") as database:
        assert sqlite.version(database) == len(newer.steps)
        assert database.execute("SELECT count(*) FROM signs").fetchone() == (1,)
    database.close()


def test_a_migration_that_fails_changes_nothing(
    home: Path, stored: StoredDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        steps = (*SCHEMA.steps, ("DROP TABLE texts", "DROP TABLE nonsense"))
        broken.setattr("thoth.library.reading.SCHEMA", replace(SCHEMA, steps=steps))
        with pytest.raises(sqlite3.OperationalError):
            Library(home).documents()
    assert Library(home).document(stored.id) == NOTE


def test_a_damaged_word_index_is_made_anew(home: Path, stored: StoredDocument) -> None:
    with sqlite3.connect(home / "library.db") as database:
        database.execute("DELETE FROM chunk_words_data WHERE id > 10")
    database.close()
    library = Library(home)
    with pytest.raises(ThothError, match="doctor --repair"):
        library.search("lamps", [stored.id], 5)
    assert library.repair() == ["rebuilt the word index"]
    assert [ref.number for ref, _ in library.search("lamps", [stored.id], 5)] == [1, 2]
    assert library.repair() == []


def test_a_damaged_adapter_is_absorbed_again(home: Path, library: Library, stored: StoredDocument) -> None:
    chunk_file(home, stored, 1).write_bytes(b"short")
    refs = [ChunkRef(stored.id, number) for number in range(3)]
    with pytest.raises(DocumentError, match=f"docs update {stored.id}"):
        library.adapters(refs)
    assert library.get(stored.id).state(made_up.BUNDLE) == "absorbing"
    assert library.missing(stored.id) == [1]
    assert library.adapters([refs[0], refs[2]]).num_chunks == 2
    assert made_up.absorb(library, NOTE) == stored
    assert library.adapters(refs).A["down_proj"][:, 0, 0, 0].tolist() == [0, 1, 2]


def test_missing_bias_pairs_come_back_with_one_chunk(home: Path, library: Library, stored: StoredDocument) -> None:
    (home / "documents" / f"bias-{made_up.BUNDLE}.safetensors").unlink()
    refs = [ChunkRef(stored.id, 0)]
    with pytest.raises(DocumentError, match=f"docs update {stored.id}"):
        library.adapters(refs)
    assert library.missing(stored.id) == [2]
    with pytest.raises(DocumentError, match=f"docs update {stored.id}"):
        library.adapters(refs)
    assert library.missing(stored.id) == [2]  # once is enough
    assert made_up.absorb(library, NOTE) == stored
    assert library.adapters(refs).bias_A["down_proj"].min().item() == 1


def test_repair_notices_a_flipped_bit(home: Path, library: Library, stored: StoredDocument) -> None:
    path = chunk_file(home, stored, 2)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    damaged, removed = library.repair()
    assert damaged == f"dropped {path}, which is damaged"
    assert "belongs to nothing" in removed
    assert library.missing(stored.id) == [2]
    assert library.repair() == []


def test_repair_removes_what_belongs_to_nothing(home: Path, library: Library, stored: StoredDocument) -> None:
    before = sorted(home.rglob("*"))
    (home / "documents" / "0123456789abcdef").mkdir()  # as Thoth 0.1 kept them
    (home / "documents" / "0123456789abcdef" / "adapters.safetensors").write_bytes(b"old")
    (home / "documents" / stored.id / ".0123-00001.safetensors").write_bytes(b"half")
    (home / "documents" / "bias-other.safetensors").write_bytes(b"bias")
    (home / ".library-0123.db").write_bytes(b"")
    (home / "settings.toml").write_text("")
    assert len(library.repair()) == 4
    library.close()
    assert sorted(home.rglob("*")) == sorted([*before, home / "settings.toml"])
    assert library.documents() == [stored]


def test_a_full_disk_is_noticed_before_writing(
    home: Path, library: Library, stored: StoredDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(home.rglob("*.safetensors"))
    other = made_up.begin(library, made_up.document(["Another note."]))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(ResourceError, match="free some space"):
        library.store(other.id, [0], made_up.adapters([0]), made_up.features([0]))
    assert library.documents() == [other, stored]
    assert sorted(home.rglob("*.safetensors")) == before


def test_a_failure_in_the_midst_of_a_batch_leaves_nothing(
    home: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlx_hypernet import storage

    stored = made_up.begin(library, NOTE)
    write, calls = storage.write_tensors, []

    def fail_later(path: Path, *rest: object) -> None:
        calls.append(path)
        if len(calls) > 2:
            raise RuntimeError("[save_safetensors] no room")
        write(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(storage, "write_tensors", fail_later)
    with pytest.raises(ResourceError, match="full"):
        library.store(stored.id, [0, 1, 2], made_up.adapters([0, 1, 2]), made_up.features([0, 1, 2]))
    assert library.documents() == [stored]
    assert [*home.rglob("*.safetensors")] == []
    assert library.missing(stored.id) == [0, 1, 2]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for a small library."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)  # an error that was caught can still hold the database


@pytest.mark.parametrize("reserve", [0, 100_000])
def test_a_disk_that_runs_full(small_disk: Path, monkeypatch: pytest.MonkeyPatch, reserve: int) -> None:
    monkeypatch.setattr(disk, "RESERVE", reserve)
    library = Library(small_disk / "home")
    done: list[StoredDocument] = []

    def fill() -> None:
        for number in range(1000):
            sentences = [f"Sentence {n} of note {number}, {'and so on, ' * 20}to its end." for n in range(4)]
            done.append(made_up.absorb(library, made_up.document(sentences)))

    with pytest.raises(ResourceError, match="free some space"):
        fill()
    assert done
    library.close()
    library = Library(small_disk / "home")
    assert [document for document in library.documents() if document.complete] == done[::-1]
    for document in done:
        assert library.adapters([ChunkRef(document.id, n) for n in range(4)]).num_chunks == 4
    if reserve:  # then there is room to remove documents, and for others after that
        for document in library.documents():
            library.remove(document.id)
        made_up.absorb(library, NOTE)
        assert all("belongs to nothing" in line for line in library.repair())
    library.close()


def test_a_home_that_cannot_be_one(home: Path) -> None:
    home.write_text("a file where the home should be")
    with pytest.raises(ThothError, match="THOTH_HOME"):
        made_up.begin(Library(home), replace(NOTE))


def test_every_flipped_bit_is_noticed_when_an_adapter_is_used(tmp_path: Path) -> None:
    """A bit of a tensor changes no size and no header: the checksum alone shows it."""
    import random

    from thoth.library.adapters import AdapterFiles, DamagedError, Pairs

    mx = pytest.importorskip("mlx.core")
    pairs = Pairs({"down_proj": mx.ones((2, 3, 4))}, {"down_proj": mx.ones((2, 3, 5))}, 1.0)
    draw = random.Random(0)
    writer = AdapterFiles(tmp_path, 1 << 20).writer("d")
    (tmp_path / "d").mkdir()
    written = writer.write_chunk(0, pairs)
    path = tmp_path / "d" / "00000.safetensors"
    whole = path.read_bytes()
    for _ in range(60):
        bit = draw.randrange(len(whole) * 8)
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(DamagedError):
            AdapterFiles(tmp_path, 1 << 20).chunk(ChunkRef("d", 0), written)
    path.write_bytes(whole)
    files = AdapterFiles(tmp_path, 0)  # nothing stays in memory: the second read is not verified again, but works
    for _ in range(2):
        assert files.chunk(ChunkRef("d", 0), written).A["down_proj"].shape == (2, 3, 4)
