"""Folders: what `.gitignore` leaves out, links, depth; and patterns that are traps."""

import os
from pathlib import Path

import pytest

from thoth.errors import DocumentError
from thoth.ingest import folder, gitignore


@pytest.mark.parametrize(
    ("pattern", "path", "is_folder", "left_out"),
    [
        ("*.log", "a/b.log", False, True),
        ("*.log", "a/b.logs", False, False),
        ("build/", "src/build", True, True),
        ("build/", "src/build", False, False),
        ("/build", "build", True, True),
        ("/build", "src/build", True, False),
        ("doc/*.txt", "doc/a.txt", False, True),
        ("doc/*.txt", "doc/deep/a.txt", False, False),
        ("**/logs", "a/b/logs", True, True),
        ("a/**/b", "a/b", False, True),
        ("a/**/b", "a/x/y/b", False, True),
        ("a/**", "a/x", False, True),
        ("a/**", "a", True, False),
        ("file[0-9].md", "file7.md", False, True),
        ("file[!0-9].md", "file7.md", False, False),
        ("file[!0-9].md", "filex.md", False, True),
        ("file?.md", "file10.md", False, False),
        (r"\!odd", "!odd", False, True),
        (r"star\*", "star*", False, True),
        (r"star\*", "stars", False, False),
        ("name ", "name", False, True),
        ("# comment", "# comment", False, False),
        ("[", "[", False, True),
        ("a*b*c", "aXbYbZc", False, True),
    ],
)
def test_patterns(pattern: str, path: str, is_folder: bool, left_out: bool) -> None:
    decision = gitignore.decide(gitignore.parse([pattern]), path.split("/"), is_folder=is_folder)
    assert bool(decision) == left_out


def test_the_last_pattern_counts() -> None:
    patterns = gitignore.parse(["*.log", "!keep.log"])
    assert gitignore.decide(patterns, ["drop.log"], is_folder=False) is True
    assert gitignore.decide(patterns, ["keep.log"], is_folder=False) is False
    assert gitignore.decide(patterns, ["note.txt"], is_folder=False) is None


def test_a_pattern_that_is_a_trap_takes_no_time() -> None:
    """Tried by going back at each star, these take longer than the universe has been there."""
    stars = gitignore.parse(["a*" * 40 + "b", "**/a/" * 40 + "b"])
    assert gitignore.decide(stars, ["a" * 200], is_folder=False) is None
    assert gitignore.decide(stars, ["a"] * 200, is_folder=False) is None


def test_ignore_files_that_are_no_files(tmp_path: Path) -> None:
    for name in ("pipe", "large", "folder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "note.txt").write_text("text")
    os.mkfifo(tmp_path / "pipe" / ".gitignore")  # opened as a file, it would wait for ever
    (tmp_path / "large" / ".gitignore").write_text("*.txt\n" + "#" * (1 << 20))
    (tmp_path / "folder" / ".gitignore").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in folder.files(tmp_path) if isinstance(path, Path)]
    assert sorted(found) == ["folder/note.txt", "large/note.txt", "pipe/note.txt"]


def test_links_that_lead_out_are_counted(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (inside / "note.txt").write_text("text")
    (inside / "same.txt").symlink_to(inside / "note.txt")
    for name in ("a.txt", "b.txt"):
        (inside / name).symlink_to(outside / "secret.txt")
    *paths, error = folder.files(inside)
    assert paths == [inside / "note.txt", inside / "same.txt"]
    assert isinstance(error, DocumentError)
    assert "left out 2 links" in str(error)


def test_deep_folders(tmp_path: Path) -> None:
    """As deep as a path may be; what is too deep is named, and the rest is read."""
    deep = tmp_path
    for _ in range(folder._MAX_DEPTH + 5):
        deep /= "d"
    deep.mkdir(parents=True)
    (deep / "lost.txt").write_text("text")
    (tmp_path / "z.txt").write_text("text")
    *paths, error = folder.files(tmp_path)
    assert paths == [tmp_path / "z.txt"]
    assert "deep" in str(error)


def test_order_is_that_of_names(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/1.txt", "a.txt", "c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    assert [path.relative_to(tmp_path).as_posix() for path in folder.files(tmp_path) if isinstance(path, Path)] == [
        "a.txt",
        "b/1.txt",
        "b/2.txt",
        "c.txt",
    ]
