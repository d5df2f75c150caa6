"""`thoth docs`: what it lists, what it changes, and one line for everything that is wrong."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.app.test_ask import other_pair
from thoth.library.library import Library

Run = Callable[..., Result]
Read = Callable[..., Any]
FACTS = {
    "id": str,
    "name": str,
    "source": str,
    "bundle": str,
    "chunking": str,
    "active": bool,
    "pages": type(None),
    "chunks": int,
    "absorbed": int,
    "tokens": int,
    "bytes": int,
    "added": str,
    "loss": type(None),
    "readable": type(None),
    "collections": list,
    "state": str,
}


@pytest.fixture
def id(read: Read, note: Path) -> str:
    """The id of the note, which is in the library."""
    [document] = read("absorb", note)["documents"]
    return document["id"]


def listed(read: Read) -> list[dict[str, Any]]:
    return read("docs", "list")["documents"]


def test_an_empty_library(thoth: Run, read: Read, home: Path) -> None:
    result = thoth("docs", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "the library is empty" in result.stderr
    assert listed(read) == []
    assert not home.exists()


def test_list(thoth: Run, read: Read, id: str, note: Path) -> None:
    [document] = listed(read)
    assert {name: type(value) for name, value in document.items()} == FACTS
    assert (document["id"], document["source"], document["state"]) == (id, str(note), "ready")
    heading, row = thoth("docs", "list").stdout.splitlines()
    assert heading.split() == ["id", "name", "state", "active", "pages", "chunks", "tokens", "size", "added"]
    assert row.split()[:6] == [id[:8], "note.txt", "ready", "yes", "-", "1"]


def test_what_another_model_absorbed_is_stale(thoth: Run, read: Read, id: str, tiny_pair: Path, tmp_path: Path) -> None:
    pair = other_pair(tiny_pair, tmp_path)
    result = thoth("docs", "list", "--model", pair)
    assert "stale" in result.stdout
    assert "thoth docs update" in result.stderr
    assert read("docs", "show", id, "--model", pair)["state"] == "stale"
    assert read("docs", "show", id)["state"] == "ready"


def test_a_library_without_a_model_can_be_listed(
    thoth: Run, id: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("THOTH_MODEL", str(tmp_path / "gone"))
    result = thoth("docs", "list")
    assert result.exit_code == 0
    assert "note.txt" in result.stdout
    assert "there is no model" in result.stderr
    assert thoth("docs", "list", "--model", "gone").exit_code == 5


def test_show(thoth: Run, read: Read, id: str, note: Path) -> None:
    assert ["source", str(note)] in [line.split() for line in thoth("docs", "show", "note.txt").stdout.splitlines()]
    assert thoth("docs", "show", id[:6], "--text").stdout == note.read_text() + "\n"
    chunks = thoth("docs", "show", id, "--chunks").stdout
    assert chunks.startswith("--- chunk 1, ")
    assert note.read_text() in chunks
    [part] = read("docs", "show", id, "--chunks", "--text")["parts"]
    assert (part["number"], part["pages"], part["text"]) == (0, None, note.read_text())


def test_rename(thoth: Run, read: Read, id: str) -> None:
    assert thoth("docs", "rename", "note.txt", "The lamps").stdout == f"{id}  The lamps: renamed\n"
    assert listed(read)[0]["name"] == "The lamps"
    result = thoth("docs", "rename", id, " ")
    assert (result.exit_code, result.stdout) == (2, "")


def test_activate_and_deactivate(read: Read, id: str) -> None:
    assert read("docs", "deactivate", id)["deactivated"][0]["active"] is False
    assert listed(read)[0]["active"] is False
    assert read("docs", "activate", "note.txt", id)["activated"][0]["active"] is True
    assert listed(read)[0]["active"] is True


def test_remove(thoth: Run, read: Read, id: str, note: Path, home: Path) -> None:
    result = thoth("docs", "remove", id)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--yes" in result.stderr
    assert len(listed(read)) == 1
    assert thoth("docs", "remove", "note.txt", id, "--yes").stdout == f"{id}  note.txt: removed\n"
    assert listed(read) == []
    assert not (home / "documents" / id).exists()
    assert note.exists()


def test_removing_asks_on_a_terminal(thoth: Run, read: Read, id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    kept = thoth("docs", "remove", id, stdin="n\n")
    assert "Remove 1 document (note.txt)?" in kept.output
    assert len(listed(read)) == 1
    assert thoth("docs", "remove", id, stdin="y\n").exit_code == 0
    assert listed(read) == []


@pytest.mark.parametrize("command", ["show", "remove", "activate", "deactivate", "update"])
def test_a_document_that_is_not_there(thoth: Run, read: Read, id: str, command: str) -> None:
    """Nothing is done to the others that were named either."""
    names = ["nothing"] if command == "show" else [id, "nothing"]
    result = thoth("docs", command, *names)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("thoth: there is no document nothing in the library: ")
    assert result.stderr.count("\n") == 1
    assert listed(read)[0]["active"]


def test_update_reads_what_changed_on_disk(thoth: Run, read: Read, id: str, note: Path) -> None:
    assert read("docs", "update") == {"updated": [], "up_to_date": 1, "failed": []}
    thoth("docs", "rename", id, "lamps")
    note.write_text("The founder of Velmar is Berin Asto.")
    [new] = read("docs", "update")["updated"]
    assert (new["was"], new["reason"], new["name"], new["source"]) == (id, "changed", "lamps", str(note))
    assert [document["id"] for document in listed(read)] == [new["id"]]
    assert "1 document up to date" in thoth("docs", "update").stderr


def test_update_notices_an_older_file_in_its_place(read: Read, id: str, note: Path, tmp_path: Path) -> None:
    older = tmp_path / "older.txt"
    older.write_text("The founder of Velmar is nobody.")
    os.utime(older, (1, 1))
    os.replace(older, note)
    assert read("docs", "update")["updated"][0]["reason"] == "changed"


def test_update_absorbs_again_with_another_model(
    read: Read, id: str, note: Path, tiny_pair: Path, tmp_path: Path
) -> None:
    note.unlink()  # the library has the text
    read("docs", "deactivate", id)
    pair = other_pair(tiny_pair, tmp_path)
    [new] = read("docs", "update", "--model", pair)["updated"]
    assert (new["was"], new["reason"], new["active"]) == (id, "stale", False)
    assert new["bundle"] != read("docs", "update", "--model", tiny_pair)["updated"][0]["bundle"]


def test_update_finishes_what_was_begun(read: Read, id: str, note: Path, home: Path) -> None:
    """A chunk whose file is damaged counts as missing."""
    for file in (home / "documents" / id).rglob("*.safetensors"):
        file.write_bytes(b"damaged")
    read("ask", "--no-doc", "anything")
    library = Library(home)
    library.repair()
    assert not library.get(id).complete
    [new] = read("docs", "update", id)["updated"]
    assert (new["id"], new["reason"], new["absorbed"]) == (id, "unfinished", 1)


def test_update_leaves_what_cannot_be_read(thoth: Run, read: Read, id: str, note: Path) -> None:
    note.unlink()
    assert read("docs", "update")["up_to_date"] == 1
    note.write_bytes(b"")
    result = thoth("docs", "update", id, "--json")
    assert result.exit_code == 4
    assert [failed["id"] for failed in json.loads(result.stdout)["failed"]] == [id]
    assert "note.txt not updated: " in result.stderr
    assert len(listed(read)) == 1


def test_a_narrow_terminal(thoth: Run, note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = note.with_name("the rules of the harbour of Harpool, as of last year, in full 🚢.txt")
    shutil.copy(note, long)
    thoth("absorb", long)
    monkeypatch.setattr("thoth.cli.table._is_terminal", lambda: True)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((60, 24)))
    heading, row = thoth("docs", "list").stdout.splitlines()
    assert heading.split() == ["id", "name", "state", "active", "chunks", "size"]
    assert "the rules of" in row
    assert "…" in row
    assert max(len(heading), len(row)) <= 60
