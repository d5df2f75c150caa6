"""What the user named becomes documents to read: files, folders, addresses, standard input."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from thoth.actions.sources import Source, Sources, expand, present
from thoth.errors import (
    DocumentError,
    UnknownFormatError,
)

ADDRESS = "https://example.org/lamps/page.html"


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    (tmp_path / "papers" / "deep").mkdir(parents=True)
    (tmp_path / "papers" / "b.txt").write_text("b")
    (tmp_path / "papers" / "deep" / "a.md").write_text("a")
    (tmp_path / "papers" / ".hidden").write_text("hidden")
    return tmp_path / "papers"


def test_folders_become_their_documents_in_the_order_of_what_was_named(papers: Path, tmp_path: Path) -> None:
    found = expand([ADDRESS, str(papers), str(tmp_path / "gone.txt")])
    assert found == Sources(
        (
            Source(ADDRESS),
            Source(str(papers / "b.txt"), named=False),
            Source(str(papers / "deep" / "a.md"), named=False),
            Source(str(tmp_path / "gone.txt")),
        )
    )
    here = present(found)
    assert here.documents == found.documents[:3]
    [failure] = here.failed
    assert failure.source == str(tmp_path / "gone.txt")
    assert str(failure.error) == f"there is no file {tmp_path / 'gone.txt'}: check the name"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything: run as another user")
def test_a_folder_that_may_not_be_read_is_a_failure(papers: Path) -> None:
    (papers / "deep").chmod(0)
    try:
        found = expand([str(papers)])
    finally:
        (papers / "deep").chmod(0o700)
    assert [source.label for source in found.documents] == ["b.txt"]
    assert [failure.source for failure in found.failed] == [str(papers)]


def test_a_dash_is_standard_input_only_where_that_is_wanted() -> None:
    assert expand(["-"], stdin=True).documents == (Source("-"),)
    [file] = expand(["-"]).documents
    assert (file.is_local, file.origin) == (True, os.path.abspath("-"))
    assert present(Sources((Source("-"),))).failed == ()


def test_a_tilde_is_the_home_folder_unless_a_file_has_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.chdir(tmp_path)
    assert expand(["~/note.txt"]).documents == (Source(str(tmp_path / "me" / "note.txt")),)
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "note.txt").touch()
    assert expand(["~/note.txt"]).documents == (Source("~/note.txt"),)


def test_a_file_address_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "a lease.txt").touch()
    for host in ("", "localhost"):
        (found,) = expand([f"file://{host}{tmp_path}/a%20lease.txt"]).documents
        assert found == Source(str(tmp_path / "a lease.txt"))


@pytest.mark.parametrize(
    ("place", "label", "origin"),
    [
        ("-", "-", None),
        (ADDRESS, "page.html", ADDRESS),
        ("https://example.org/", "example.org", "https://example.org/"),
        ("/papers/a\x1b[31m.txt", "a\\x1b[31m.txt", "/papers/a\x1b[31m.txt"),
        ("notes/a.txt", "a.txt", os.path.abspath("notes/a.txt")),
    ],
)
def test_what_a_source_is_called_and_where_it_is(place: str, label: str, origin: str | None) -> None:
    assert (Source(place).label, Source(place).origin) == (label, origin)


def test_only_unsupported_files_in_folders_are_skipped() -> None:
    unsupported = UnknownFormatError("a picture")
    assert Source("a.png", named=False).skips(unsupported)
    assert not Source("a.png").skips(unsupported)
    assert not Source("a.png", named=False).skips(DocumentError("damaged"))
