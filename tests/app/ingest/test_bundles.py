"""Folders that are one document: read as one, wherever they lie, and nothing outside of them."""

from pathlib import Path

import pytest

from tests.app.reading import read_all
from thoth import ingest
from thoth.errors import DocumentError
from thoth.ingest import bundles, folder

RTF = rb"{\rtf1\ansi\ansicpg1252 The caf\'e9 opens at nine.{{\NeXTGraphic photo.png}}\par}"


def rtfd(path: Path) -> Path:
    path.mkdir()
    (path / "TXT.rtf").write_bytes(RTF)
    (path / "photo.png").write_bytes(b"\x89PNG\r\n")
    return path


def test_a_note_of_textedit_is_one_document(tmp_path: Path) -> None:
    document = ingest.read(rtfd(tmp_path / "note.rtfd"))
    assert (document.name, document.text) == ("note.rtfd", "The café opens at nine.")
    (tmp_path / "plain.txt").write_text("Plain.")
    found = read_all(tmp_path)
    assert [Path(source).name for source in found] == ["note.rtfd", "plain.txt"]
    assert all(isinstance(outcome, ingest.Document) for outcome in found.values())


def test_a_textbundle_is_its_markdown(tmp_path: Path) -> None:
    bundle = tmp_path / "idea.textbundle"
    (bundle / "assets").mkdir(parents=True)
    (bundle / "info.json").write_text('{"version": 2}')
    (bundle / "text.md").write_text("# Idea\n\nPave the quay.\n")
    document = ingest.read(bundle)
    assert document.text == "# Idea\n\nPave the quay.\n"
    assert [block.kind for block in document.blocks] == ["heading", "paragraph"]


def test_an_old_pages_document_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "plan.pages").mkdir()
    (tmp_path / "plan.pages" / "index.xml.gz").write_bytes(b"x")
    [found] = read_all(tmp_path).values()
    assert str(found) == "plan.pages is a Pages document: export it as PDF or Word"


def test_a_folder_with_such_a_name_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "drafts.epub").mkdir()
    (tmp_path / "drafts.epub" / "one.txt").write_text("One.")
    assert not bundles.is_bundle(tmp_path / "drafts.epub")
    assert list(folder.files(tmp_path)) == [tmp_path / "drafts.epub" / "one.txt"]


def test_links_out_of_a_bundle_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "secret.rtf").write_bytes(rb"{\rtf1 secret}")
    bundle = tmp_path / "note.rtfd"
    bundle.mkdir()
    (bundle / "TXT.rtf").symlink_to(tmp_path / "secret.rtf")
    (bundle / "more").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(DocumentError):
        ingest.read(bundle)


def test_a_bundle_has_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "_MOST_BYTES", 10)
    with pytest.raises(DocumentError, match="more than 0 MB of text: split it"):
        bundles.pack(rtfd(tmp_path / "note.rtfd"))
