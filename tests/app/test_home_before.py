"""A home that an older Thoth made (`tests/fixtures/home-0.1`) opens unchanged, and nothing in it is absorbed again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from thoth import settings
from thoth.chats.sessions import Sessions
from thoth.cli import app
from thoth.library.library import Library
from thoth.system import paths

BEFORE = Path(__file__).parents[1] / "fixtures" / "home-0.1"
EXAMPLES = Path(__file__).parents[2] / "examples"
HARBOUR, WORKSHOP = "1c4316b9f8caa413", "68fdf8bc35563ab5"


def adapter_files(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in home.glob("documents/**/*.safetensors")}


@pytest.fixture(autouse=True)
def untouched(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A copy of the old home in which no chunk may be absorbed; its adapters and ids are the same in the end."""
    shutil.copytree(BEFORE, home)
    before = adapter_files(home)
    monkeypatch.setattr(Library, "store", lambda *_: pytest.fail("a chunk was absorbed again"))
    yield
    assert adapter_files(home) == before
    assert {document.id for document in Library(home).documents()} == {HARBOUR, WORKSHOP}


def run(*arguments: str | Path) -> Any:
    """Run `thoth ... --json`."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_documents_are_listed_ready() -> None:
    listed = run("docs", "list")["documents"]
    assert [(document["id"], document["name"], document["chunking"]) for document in listed] == [
        (WORKSHOP, "the kite workshop", "tokens"),
        (HARBOUR, "harbour.txt", "meaning"),
    ]
    assert {(document["state"], document["active"], document["chunks"]) for document in listed} == {("ready", True, 1)}


def test_a_document_is_shown() -> None:
    shown = CliRunner().invoke(app, ["docs", "show", HARBOUR, "--text"])
    assert shown.stdout.strip() == (EXAMPLES / "harbour.txt").read_text().strip()
    assert run("docs", "show", WORKSHOP)["source"] == "/home/anna/notes/workshop.md"


@pytest.mark.parametrize(
    ("question", "answer", "document"),
    [("Who is the mayor of Harpool?", "Osra Kelland", HARBOUR), ("What does Halnova make?", "kites", WORKSHOP)],
)
def test_questions_are_answered_from_what_was_absorbed(question: str, answer: str, document: str) -> None:
    answered = run("ask", question)
    assert (answered["answer"], answered["stats"]["document_tokens_in_context"]) == (answer, 0)
    assert [source["document"] for source in answered["sources"]] == [document]


def test_both_documents_answer_together() -> None:
    answered = run("ask", "--route", "all", "What does Halnova make?")
    assert (answered["answer"], answered["stats"]["active_documents"]) == ("kites", 2)


@pytest.mark.parametrize(
    ("name", "chunking", "id"), [("harbour.txt", "meaning", HARBOUR), ("workshop.md", "tokens", WORKSHOP)]
)
def test_the_same_text_is_found(
    name: str, chunking: str, id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "elsewhere")
    document = tmp_path / "elsewhere" / name
    (absorbed,) = run("absorb", "--chunking", chunking, document)["documents"]
    assert absorbed["id"] == id
    monkeypatch.setenv("THOTH_CHUNKING", chunking)
    answered = run("ask", "--doc", document, "Who is the founder of Halnova?")
    assert [one["id"] for one in answered["documents"]] == [id]


def test_updating_finds_nothing_to_do() -> None:
    assert run("docs", "update") == {"updated": [], "up_to_date": 2, "failed": []}


def test_documents_are_exported(tmp_path: Path) -> None:
    run("export", HARBOUR, WORKSHOP, tmp_path / "adapter")
    assert (tmp_path / "adapter" / "adapters.safetensors").is_file()


def test_chats_are_there(home: Path) -> None:
    sessions = Sessions(home)
    kites, harbour = sessions.find()
    assert (harbour.title, kites.title) == ("Who is the mayor of Harpool?", "What does Halnova make?")
    assert set(harbour.documents) == {HARBOUR, WORKSHOP}
    first, second = sessions.turns(harbour.id)
    assert [(turn.answer, turn.state) for turn in (first, second)] == [("Osra Kelland", "done"), ("4310", "done")]
    assert first.stats is not None
    assert first.stats.chunks[0].document == first.sources[0].document == HARBOUR
    assert [(turn.answer, turn.state) for turn in sessions.turns(kites.id)] == [
        ("kites", "done"),
        ("In Har", "stopped"),
    ]
    assert [found.id for found in sessions.find("mayor HARPOOL")] == [harbour.id]


def test_settings_are_read() -> None:
    found = settings.load(paths.settings())
    assert (found.model, found.top_k, found.max_tokens, found.theme) == ("nano", 4, 64, "nord")
    assert found.keys == {"quit": "ctrl+x"}
