"""Where documents come from: files that change, folders, addresses, standard input; and names that are traps."""

import io
import os
from pathlib import Path

import pytest

from tests.app.reading import read_all
from thoth import ingest
from thoth.errors import DocumentError, NoTextError, UnknownFormatError
from thoth.ingest import files, folder, formats
from thoth.ingest.names import shown


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a\nb\x1b[2J.txt", "a\\nb\\x1b[2J.txt"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("half\udc80", "half\\udc80"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467 caf\u00e9 'x' \"y\"\u00a0z", None),
    ],
)
def test_names_are_shown_safely(name: str, safe: str | None) -> None:
    assert shown(name) == (safe or name)


def test_odd_names_are_read(tmp_path: Path) -> None:
    for name in ("line\nbreak.txt", "\U0001f4a1 'lamp' \"x\".txt", "-", "half\udc80.txt"):
        (tmp_path / name).write_text("text")
        document = ingest.read(tmp_path / name)
        assert (document.name, document.text) == (shown(name), "text")
    with pytest.raises(DocumentError, match=r"no file .*new\\nline"):
        ingest.read(tmp_path / "new\nline")


def test_large_files_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes(b"text")
    os.truncate(path, 1 << 30)  # sparse: takes no room
    read: list[int] = []
    monkeypatch.setattr(files, "bounded", lambda read_, *rest: bounded(lambda n: read.append(n) or read_(n), *rest))
    with pytest.raises(DocumentError, match=r"large\.txt has more than 32 MB, .* split it"):
        files.read_file(path)
    assert len(read) == 1
    os.truncate(path, formats.MAX_TEXT_BYTES + 1)
    with pytest.raises(DocumentError, match="more than 32 MB"):
        files.bounded(path.open("rb").read, "pipe")  # the same where the size is not known


bounded = files.bounded


def test_files_that_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.txt"
    path.write_text("0")
    changes = 1

    def changing(*arguments: object) -> bytes:
        nonlocal changes
        data = bounded(*arguments)  # type: ignore[arg-type]
        if changes:
            changes -= 1
            with path.open("a") as file:
                file.write("1")
        return data

    monkeypatch.setattr(files, "bounded", changing)
    assert files.read_file(path) == b"01"  # the second time it stood still
    changes = 2
    with pytest.raises(DocumentError, match="changes while it is being read"):
        files.read_file(path)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"<html><p>text")))
    document = ingest.read("-")
    assert (document.name, document.text) == ("standard input", "text")


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "work"
    make(root, "b.txt", "a/c.md", "a/keep.log", "a/drop.log", "a/deep/no.txt", ".hidden", ".git/config", "build/x.txt")
    make(root, "node_modules/x.js", "__pycache__/x.py", "env/lib/x.py", "env/pyvenv.cfg", "cache/CACHEDIR.TAG")
    (root / ".gitignore").write_text("*.log\nbuild/\n")
    (root / "a" / ".gitignore").write_text("!keep.log\n/deep\n")
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "self").symlink_to(root / "self")
    os.mkfifo(root / "pipe")
    expected = ["a/c.md", "a/keep.log", "b.txt"]
    assert [path.relative_to(root).as_posix() for path in folder.files(root) if isinstance(path, Path)] == expected
    # Named relatively, and from below: the rules of the repository hold in a part of it.
    monkeypatch.chdir(root / "a")
    assert [*folder.files(Path("."))] == [Path("c.md"), Path("keep.log")]
    assert [*folder.files(Path("../a"))] == [Path("../a/c.md"), Path("../a/keep.log")]


def test_what_cannot_be_read_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.txt", "z.txt")
    (tmp_path / "b.png").write_bytes(b"\x89PNG\0")
    (tmp_path / "c.txt").write_text("")
    (tmp_path / "closed").mkdir()
    real = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = read_all(tmp_path) | read_all(tmp_path / "none.txt")
    kinds = [type(outcome) for outcome in found.values()]
    assert kinds == [ingest.Document, UnknownFormatError, NoTextError, DocumentError, ingest.Document, DocumentError]
    assert "closed may not be read" in str(list(found.values())[3])
    assert "there is no file" in str(found[str(tmp_path / "none.txt")])
