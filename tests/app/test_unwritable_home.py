"""A home on a read-only disk or on a full one: what is there can be listed, shown and asked, and the cause is named.

The disks are real, see `small_disk.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.app import made_up
from tests.app.small_disk import Disk
from thoth.chats.sessions import Sessions, Turn
from thoth.errors import DocumentError, ResourceError, ThothError
from thoth.library.library import Library
from thoth.library.records import ChunkRef, StoredDocument

Run = Callable[..., Result]

NOTE = made_up.document(["The founder of Velmar is Ana Dor.", "Velmar makes lamps.", "Its lamps are green."])
OTHER = made_up.document(["The mayor of Dorn is Ilse Brand."], "other.pdf")
FIXTURES = Path(__file__).parents[1] / "fixtures"

# Runs commands as root, so that everything is imported, and then as a user whom nothing belongs to.
NOBODY = """
import json, os, sys, tempfile
from typer.testing import CliRunner
from thoth.cli import app

def run(home):
    os.environ["THOTH_HOME"] = home
    commands = "docs list", "docs show --text note.pdf", "docs remove --yes note.pdf", "doctor"
    done = [CliRunner().invoke(app, command.split()) for command in commands]
    return [(result.exit_code, result.output) for result in done]

with tempfile.TemporaryDirectory() as other:
    run(other)
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    print(json.dumps(run(sys.argv[1])))
    os._exit(0)
"""

# Takes in a document and dies: its rows are in the log, not yet in the database.
CRASH = """
import os
from pathlib import Path
from tests.app import made_up
from tests.app.test_unwritable_home import NOTE
from thoth.library.library import Library
library = Library(Path(os.environ["THOTH_HOME"]))
made_up.absorb(library, NOTE)
os._exit(0)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home as a process left it that was killed after it had taken in `NOTE`."""
    home = tmp_path_factory.mktemp("killed") / "home"
    subprocess.run([sys.executable, "-c", CRASH], env=os.environ | {"THOTH_HOME": str(home)}, check=True)
    return home


@pytest.fixture
def stored(disk: Disk) -> StoredDocument:
    library = Library(disk.home)
    stored = made_up.absorb(library, NOTE)
    library.close()
    return stored


def read_everything(home: Path, stored: StoredDocument) -> None:
    library = Library(home)
    refs = [ChunkRef(stored.id, number) for number in range(3)]
    assert library.documents() == [library.get("note.pdf")] == [stored]
    assert library.document(stored.id) == NOTE
    assert [chunk.text for chunk in library.chunks(stored.id)][1] == "Velmar makes lamps."
    assert library.search("lamps", [stored.id], 5)[0][0] in refs[1:]
    assert library.adapters(refs).num_chunks == 3
    assert library.features(refs).shape == (3, made_up.FEATURES)
    library.close()


def changes(library: Library, stored: StoredDocument) -> list[Callable[[], object]]:
    return [
        lambda: library.rename(stored.id, "lamps"),
        lambda: library.activate([stored.id], False),
        lambda: made_up.begin(library, OTHER),
        lambda: Sessions(library._home).put(Sessions(library._home).create("Why?"), Turn(0, "Why?")),
    ]


def test_a_read_only_disk(disk: Disk, stored: StoredDocument) -> None:
    disk.remount("ro")
    before = disk.files()
    read_everything(disk.home, stored)
    library = Library(disk.home)
    library.activate([stored.id], True)  # as it is already
    for change in [*changes(library, stored), lambda: library.remove(stored.id), library.repair]:
        with pytest.raises(ThothError, match=r"home is read-only: .*make it writable or set THOTH_HOME"):
            change()
    assert disk.files() == before
    disk.remount("rw")
    library.remove(stored.id)  # the same object writes again
    assert Library(disk.home).documents() == []


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("state", ["read-only", "full"])
def test_what_a_killed_process_left_in_the_log_is_read(disk: Disk, killed: Path, state: str, index: bool) -> None:
    shutil.copytree(killed, disk.home)
    assert (disk.home / "library.db-wal").stat().st_size > 0
    if not index:
        (disk.home / "library.db-shm").unlink()
    if state == "full":
        disk.fill()
    else:
        disk.remount("ro")
    (stored,) = Library(disk.home).documents()
    read_everything(disk.home, stored)


def test_a_damaged_adapter_on_a_read_only_disk_is_named(disk: Disk, stored: StoredDocument) -> None:
    path = disk.home / "documents" / stored.id / "00001.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    disk.remount("ro")
    with pytest.raises(DocumentError, match=r"00001.safetensors .*checksum differs.*read-only"):
        Library(disk.home).adapters([ChunkRef(stored.id, 1)])


def test_an_older_library_on_a_read_only_disk(disk: Disk) -> None:
    shutil.copytree(FIXTURES / "home-0.1", disk.home)
    disk.remount("ro")
    before = disk.files()
    library = Library(disk.home)
    for document in library.documents():
        assert library.document(document.id).text
        assert library.search(library.chunks(document.id)[0].text, [document.id], 3)
    assert len(library.documents()) == 2
    assert disk.files() == before


def test_a_full_disk(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_up, "D_IN", 1 << 15)  # as large as nano's adapters
    library = Library(disk.home)
    stored = made_up.absorb(library, NOTE)
    library.close()
    disk.fill()
    read_everything(disk.home, stored)
    for change in changes(library, stored)[1:]:
        with pytest.raises(ResourceError, match=r"the disk with .* is full: free some space"):
            change()
    disk.fill()
    library = Library(disk.home)
    library.remove(stored.id)
    assert library.documents() == []
    assert not (disk.home / "documents" / stored.id).exists()
    assert not [line for line in library.repair() if stored.id in line]


def test_a_disk_that_fills_while_the_library_is_open(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_up, "D_IN", 1 << 15)
    library = Library(disk.home)
    stored = made_up.absorb(library, NOTE)
    disk.fill()
    assert library.documents() == [stored]
    library.remove(stored.id)
    assert library.documents() == []


def test_the_command_line_on_a_read_only_disk(disk: Disk, thoth: Run, note: Path, tmp_path: Path) -> None:
    assert thoth("absorb", note).exit_code == 0
    disk.remount("ro")
    assert "note.txt" in thoth("docs", "list").stdout
    assert "note.txt" in thoth("docs", "show", "note.txt").stdout
    assert thoth("docs", "show", "note.txt", "--text").stdout.startswith("The founder of Velmar")
    for asked in (["ask", "Who?"], ["ask", "--doc", note, "Who?"], ["absorb", note], ["docs", "update"]):
        result = thoth(*asked)
        assert result.exit_code == 0, (asked, result.output)
    (tmp_path / "new.txt").write_text("The mayor of Dorn is Ilse Brand.")
    for refused in (
        ["absorb", tmp_path / "new.txt"],
        ["ask", "--doc", tmp_path / "new.txt", "Who?"],
        ["docs", "remove", "--yes", "note.txt"],
        ["docs", "rename", "note.txt", "other"],
        ["models", "use", "nano"],
    ):
        result = thoth(*refused)
        assert result.exit_code == 1, (refused, result.output)
        assert result.stderr.splitlines()[-1].startswith(f"thoth: {disk.home} is read-only: "), result.stderr
    result = thoth("doctor")
    assert result.exit_code == 1
    assert f"WRONG  disk: {disk.home} is read-only; documents can still be listed and asked" in result.stdout
    assert "mount its disk for writing" in result.stdout


def test_the_command_line_on_a_full_disk(disk: Disk, thoth: Run, read: Callable[..., Any], note: Path) -> None:
    assert thoth("absorb", note).exit_code == 0
    disk.fill()
    assert [document["name"] for document in read("docs", "list")["documents"]] == ["note.txt"]
    assert read("docs", "show", "note.txt", "--text")["text"].startswith("The founder of Velmar")
    assert thoth("ask", "Who?").exit_code == 0
    result = thoth("absorb", FIXTURES / "terminal" / "content.txt")
    assert result.exit_code == ResourceError.exit_code
    result = thoth("doctor")
    assert result.exit_code == 1
    assert f"WRONG  disk: the disk with {disk.home} is full; documents can still be listed, asked and removed" in (
        result.stdout
    )


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root may start a process of another user")
def test_a_home_of_another_user() -> None:
    """Root may write anywhere: as somebody else, a process finds what permissions leave it."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name, "home")
        library = Library(home)
        made_up.absorb(library, NOTE)
        library.close()
        for path in (Path(name), home, *home.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        before = {str(path) for path in home.rglob("*")}
        command = [sys.executable, "-c", NOBODY, str(home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        listed, text, removed, found = json.loads(done.stdout)
        assert listed[0] == 0
        assert "note.pdf" in listed[1]
        assert text[1].startswith("The founder of Velmar")
        assert removed[0] == 1
        assert removed[1] == f"thoth: {home} is read-only: nothing in it can be changed; " + (
            "make it writable or set THOTH_HOME\n"
        )
        assert f"WRONG  disk: {home} is read-only" in found[1]
        assert "change its permissions or set THOTH_HOME" in found[1]
        assert {str(path) for path in home.rglob("*")} == before
