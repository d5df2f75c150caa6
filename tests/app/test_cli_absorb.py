"""`thoth absorb`: files and folders become documents; what cannot be read is named, counted and in the exit code."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.app import made_up
from thoth.actions import sources
from thoth.actions.absorb import Done
from thoth.actions.sources import Source
from thoth.cli.absorb import _View
from thoth.errors import DocumentError
from thoth.events import Progress
from thoth.ingest import Options
from thoth.library.library import Library

Run = Callable[..., Result]
Read = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two notes, an empty file, a picture, and what nobody would call a document."""
    folder = tmp_path / "papers"
    (folder / "old").mkdir(parents=True)
    (folder / "a.txt").write_text("The founder of Velmar is Ana Dor.")
    (folder / "old" / "b.md").write_text("# Tolquin\n\nThe mayor of Tolquin is Berin Asto.")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "picture.bin").write_bytes(bytes(range(256)))
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "c.txt").write_text("Not this one.")
    return folder


def test_a_folder(thoth: Run, folder: Path, read: Read) -> None:
    result = thoth("absorb", folder)
    assert result.exit_code == 4  # the empty file
    names = [line.split("  ")[1].partition(":")[0] for line in result.stdout.splitlines()]
    assert names == ["a.txt", "b.md"]
    assert "empty.txt" in result.stderr
    assert "skipped 1 unsupported file" in result.stderr
    assert f"could not absorb 1 of 3: {folder / 'empty.txt'}" in result.stderr
    sources = {document["source"] for document in read("docs", "list")["documents"]}
    assert sources == {str(folder / "a.txt"), str(folder / "old" / "b.md")}


def test_json(thoth: Run, folder: Path) -> None:
    found = json.loads(thoth("absorb", folder, "--json").stdout)
    assert [(document["name"], document["new"]) for document in found["documents"]] == [("a.txt", True), ("b.md", True)]
    assert [failed["source"] for failed in found["failed"]] == [str(folder / "empty.txt")]
    assert found["skipped"] == 1
    again = json.loads(thoth("absorb", folder / "a.txt", "--json").stdout)
    assert [document["new"] for document in again["documents"]] == [False]


def test_standard_input(thoth: Run, read: Read) -> None:
    result = thoth("absorb", "-", stdin="The founder of Velmar is Ana Dor.")
    assert result.exit_code == 0
    [document] = read("docs", "list")["documents"]
    assert (document["name"], document["source"]) == ("standard input", None)


def test_chunking(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("Velmar makes lamps, and Ana Dor founded it. " * 10)
    [meaning] = read("absorb", path)["documents"]
    [tokens] = read("absorb", path, "--chunking", "tokens")["documents"]
    assert (meaning["chunking"], tokens["chunking"]) == ("meaning", "tokens")
    assert meaning["id"] != tokens["id"]


def test_names_that_could_hurt_a_terminal(thoth: Run, tmp_path: Path) -> None:
    path = tmp_path / "a\nb\x1b[31m'\"🚢.txt"
    path.write_text("The founder of Velmar is Ana Dor.")
    result = thoth("absorb", path, path.with_name("gone\x1b[31m.txt"))
    assert result.exit_code == 3
    assert "\x1b" not in result.output
    assert len(result.stdout.splitlines()) == 1
    assert "🚢" in result.stdout


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("nothing.txt", 3, "there is no file"),
        ("papers/empty.txt", 4, "no text"),
        ("papers/picture.bin", 3, "neither text nor PDF"),
        ("bare", 3, "no document in"),
    ],
)
def test_nothing_was_absorbed(thoth: Run, folder: Path, name: str, code: int, says: str) -> None:
    (folder.parent / "bare").mkdir()
    result = thoth("absorb", folder.parent / name)
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr
    assert result.stderr.startswith("thoth: ")
    assert result.stderr.count("\n") == 1


def test_mistyped_names_are_found_before_the_model_is_loaded(
    thoth: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thoth.engine.engine.load_pair", lambda _: pytest.fail("the model was loaded"))
    assert thoth("absorb", tmp_path / "nothing.txt").exit_code == 3


def test_a_mistyped_name_does_not_stop_the_others(thoth: Run, note: Path, tmp_path: Path) -> None:
    result = thoth("absorb", tmp_path / "nothing.txt", note)
    assert result.exit_code == 3
    assert "note.txt" in result.stdout
    assert f"could not absorb 1 of 2: {tmp_path / 'nothing.txt'}\n" in result.stderr


def test_errors_of_several_kinds(thoth: Run, folder: Path, note: Path, tmp_path: Path) -> None:
    result = thoth("absorb", tmp_path / "nothing.txt", folder / "empty.txt", note, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert [document["name"] for document in found["documents"]] == ["note.txt"]
    assert len(found["failed"]) == 2
    assert "could not absorb 2 of 3: " in result.stderr


def test_skipped_files_are_no_failure(thoth: Run, folder: Path) -> None:
    (folder / "empty.txt").unlink()
    assert thoth("absorb", folder).exit_code == 0


def test_a_full_disk_ends_the_run(thoth: Run, note: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was absorbed before is reported all the same."""
    from thoth.system import disk

    whole, asked = disk.shutil.disk_usage, []

    def full(path: Path) -> Any:
        asked.append(path)
        return whole(path) if len(asked) <= before else type("Usage", (), {"free": 10})

    before = 99
    monkeypatch.setattr(disk.shutil, "disk_usage", full)
    assert thoth("absorb", note).exit_code == 0
    before, asked[:] = 0, []
    result = thoth("absorb", note, folder / "a.txt", folder / "old" / "b.md", "--json")
    assert result.exit_code == 6
    found = json.loads(result.stdout)
    assert [document["name"] for document in found["documents"]] == ["note.txt"]
    assert [failed["source"] for failed in found["failed"]] == [str(folder / "a.txt")]
    assert "stopped there; 1 source not tried" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything: run as another user")
def test_a_file_that_may_not_be_read(thoth: Run, folder: Path) -> None:
    (folder / "a.txt").chmod(0)
    result = thoth("absorb", folder)
    assert result.exit_code == 1
    assert "may not be read" in result.stderr


def test_ctrl_c_keeps_the_finished_chunks(
    thoth: Run, read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlx_hypernet import absorbing

    path = tmp_path / "long.txt"
    path.write_text("Velmar makes lamps, and Ana Dor founded it. " * 40)
    whole, batches = absorbing.absorb_batch, []

    def interrupted(_: object, progress: Any) -> None:
        """Ctrl-C behind the first batch."""
        if progress.stage == "absorb" and progress.done:
            batches.append(progress.done)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("thoth.cli.console.progress_line.show", interrupted)
        result = thoth("absorb", path)
    assert (result.exit_code, result.stdout) == (130, "")
    assert f"stopped after {batches[0]} of " in result.stderr
    assert "chunks of long.txt; run the same command to resume" in result.stderr
    [begun] = read("docs", "list")["documents"]
    assert begun["state"] == "absorbing"
    assert begun["absorbed"] >= batches[0]

    counted = []

    def count(model: object, bundle: object, ids: Any, *rest: object) -> Any:
        counted.append(len(ids))
        return whole(model, bundle, ids, *rest)

    monkeypatch.setattr(absorbing, "absorb_batch", count)
    [finished] = read("absorb", path)["documents"]
    assert finished["state"] == "ready"
    assert sum(counted) == finished["chunks"] - begun["absorbed"]


def test_ctrl_c_between_two_documents_counts_the_chunks_of_neither(home: Path) -> None:
    view = _View(quiet=True)
    one, stored = Source("one.txt"), made_up.begin(Library(home), made_up.document(["One."], "one.txt"))
    view.listen(one, Progress("absorb", 9, 9))
    view.listen(one, Done(stored, is_new=True))
    assert view.interrupted() == "stopped after 1 document; run the same command to resume"


@pytest.mark.parametrize(
    ("flag", "setting", "recognize"),
    [([], "", False), (["--ocr"], "off", True), ([], "on", True), (["--no-ocr"], "on", False)],
)
def test_ocr_is_a_setting_and_a_flag(
    thoth: Run, monkeypatch: pytest.MonkeyPatch, note: Path, flag: list[str], setting: str, recognize: bool
) -> None:
    options = []

    def permit(named: sources.Sources, ask: Callable[..., bool], **how: bool) -> sources.Sources:
        options.extend(source.options for source in permitted(named, ask, **how).documents)
        raise DocumentError("seen")

    permitted = sources.permit
    monkeypatch.setattr(sources, "permit", permit)
    monkeypatch.setenv("THOTH_OCR", setting)
    for command in (["absorb", note], ["ask", "Who?", "--doc", note]):
        assert "seen" in thoth(*command, *flag).stderr
    assert options == [Options(recognize=recognize)] * 2
