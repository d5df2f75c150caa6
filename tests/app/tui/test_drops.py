"""Pastes as each terminal writes the files dropped on it. How they do it was read in their sources and manuals."""

import os
import shlex
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest

from thoth.tui.drops import Drop, find_drops, may_be_drop, missing

NAMES = [
    "plain.pdf",
    "with space.pdf",
    "two  spaces.pdf",
    "it's.txt",
    'say "hi".txt',
    "both ' and \".txt",
    "R&D (draft) [2] {x}.txt",
    "$HOME `id` #1!;*~.txt",
    "back\\slash.txt",
    "Übung 2024.pdf",
    "🦉 thoth.md",
    "-rf.txt",
    "50%.txt",
]


def backslashed(path: str) -> str:
    """As iTerm2, Ghostty, WezTerm and Terminal.app write a path."""
    return "".join(c if c.isalnum() or c in "/._-" else f"\\{c}" for c in path)


def vscode(path: str) -> str:
    """As VS Code writes a path for bash and zsh since 2025."""
    kept = path.replace("\\", "\\\\").translate(dict.fromkeys(map(ord, "`$|&>~#!^*;<")))
    if "'" in kept and '"' in kept:
        return "$'" + kept.replace("'", "\\'") + "'"
    return "'" + kept.replace("'", "\\'") + "'"


def vscode_before(path: str) -> str:
    """As VS Code wrote it until then."""
    return "'" + path.replace("\\", "\\\\").translate(dict.fromkeys(map(ord, "`$|&>~#!^*;<\"'"))) + "'"


def vscode_fish(path: str) -> str:
    kept = path.replace("\\", "\\\\").translate(dict.fromkeys(map(ord, "`$|&>~#!^*;<")))
    return '"' + kept.replace('"', '\\"') + '"' if "'" in kept else f"'{kept}'"


def each(write: Callable[[str], str], joined: str = " ") -> Callable[[Sequence[Path]], str]:
    return lambda paths: joined.join(write(str(path)) for path in paths)


DIALECTS: dict[str, Callable[[Sequence[Path]], str]] = {
    "iterm2": lambda paths: each(backslashed)(paths) + " ",
    "ghostty": each(backslashed),
    "kitty": each(str, "\n"),
    "kitty, carriage returns": each(str, "\r"),
    "foot": each(shlex.quote),
    "gnome": lambda paths: each(lambda path: "'" + path.replace("'", "'\\''") + "'")(paths) + " ",
    "terminal.app, raw": lambda paths: each(str)(paths) + " ",
    "vscode": each(vscode),
    "vscode, before": each(vscode_before),
    "vscode, fish": each(vscode_fish),
    "addresses": each(lambda path: "file://" + quote(path), "\r\n"),
    "addresses, host": each(lambda path: "file://laptop.local" + quote(path)),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "Meine Übersicht"
    folder.mkdir()
    return folder


def touch(*paths: Path) -> list[Path]:
    for path in paths:
        path.write_text("text")
    return list(paths)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_one_file_in_every_dialect(dialect: str, name: str, folder: Path) -> None:
    paths = touch(folder / name)
    drop = find_drops(DIALECTS[dialect](paths))
    assert drop is not None
    assert drop.paths == tuple(paths)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_several_files_and_a_folder_in_every_dialect(dialect: str, folder: Path) -> None:
    paths = [*touch(folder / "a b.pdf", folder / "it is.txt", folder / "zoë.md"), folder]
    assert find_drops(DIALECTS[dialect](paths)) == Drop(tuple(paths))


def test_a_file_dropped_twice_counts_once(folder: Path) -> None:
    [path] = touch(folder / "a.txt")
    assert find_drops(f"{path}\n{path}") == Drop((path,))


def test_names_with_line_ends_and_spaces_at_the_end(folder: Path) -> None:
    paths = touch(folder / "two\nlines.txt", folder / "space .txt ")
    assert find_drops(str(paths[0])) == Drop((paths[0],))
    assert find_drops(backslashed(str(paths[1]))) == Drop((paths[1],))


def test_a_name_that_is_no_utf8(folder: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt"))
    try:
        touch(path)
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    assert find_drops("file://" + quote(os.fsencode(path))) == Drop((path,))


def test_a_backslash_may_belong_to_the_name_or_to_the_dialect(folder: Path) -> None:
    raw, escaped = touch(folder / "a\\ b.txt", folder / "a b.txt")
    assert find_drops(str(raw)) == Drop((raw,))  # as it is comes first
    raw.unlink()
    assert find_drops(backslashed(str(escaped))) == Drop((escaped,))


def test_characters_that_vscode_leaves_out_are_found_again(folder: Path) -> None:
    inside = folder / "R&D; <2024>"
    inside.mkdir()
    [path] = touch(inside / "plan #1 $5.pdf")
    drop = find_drops(vscode(str(path)))
    assert drop is not None
    assert drop.paths == (path,)
    assert drop.note == f"Absorbing {path} in place of {folder}/RD 2024/plan 1 5.pdf"


def test_a_whole_name_needs_no_repair_and_no_note(folder: Path) -> None:
    exact, _ = touch(folder / "plan 1.pdf", folder / "plan #1.pdf")
    assert find_drops(vscode(str(exact))) == Drop((exact,))


def test_two_names_that_fit_leave_a_text(folder: Path) -> None:
    touch(folder / "plan #1.pdf", folder / "plan !1.pdf")
    assert find_drops(f"'{folder}/plan 1.pdf'") is None


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_same_letters_in_other_code_points(form: str, folder: Path) -> None:
    [path] = touch(folder / unicodedata.normalize(form, "Größe é.txt"))  # HFS+ says NFD, keyboards NFC
    other = "NFD" if form == "NFC" else "NFC"
    drop = find_drops(backslashed(unicodedata.normalize(other, str(path))))
    assert drop is not None
    assert drop.paths[0].samefile(path)


def test_the_narrow_space_of_a_screenshot(folder: Path) -> None:
    [path] = touch(folder / "Screenshot 2024-01-01 at 10.00.00\u202fAM.png")
    drop = find_drops(str(path).replace("\u202f", " "))
    assert drop is not None
    assert drop.paths == (path,)
    assert drop.note is not None


def test_one_missing_part_makes_all_of_it_text(folder: Path) -> None:
    [path] = touch(folder / "a.txt")
    assert find_drops(f"{path}\n{folder}/gone.txt") is None
    assert find_drops(f"{backslashed(str(path))} and") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "/",
        "///",
        "/help",
        "/absorb notes.txt",
        "a text",
        "src",
        "./src",
        "~/notes.txt",
        "notes.txt",
        "'notes.txt'",
        "http://example.org/a.pdf",
        "file://",
        "/dev/null",
        "/ what does this mean?",
        "/usr/bin is where programs are",
        "'/usr/bin",
        "/usr/bin/no\0such",
    ],
)
def test_text_stays_text(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("src", "notes.txt", "a text"):
        (tmp_path / name).mkdir()  # being there is not enough: a drop names it from the root
    assert find_drops(text) is None


@pytest.mark.parametrize("text", ["/" + "a" * 100_000, "/usr " * 100_000], ids=["name", "many"])
def test_long_text_stays_text(text: str) -> None:
    assert find_drops(text) is None


def test_an_unreadable_or_looping_path_is_a_text(folder: Path) -> None:
    loop = folder / "loop"
    loop.symlink_to(loop)
    assert find_drops(str(loop)) is None
    assert find_drops(f"{loop}/a.txt") is None


def test_most_pastes_need_no_look_at_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "stat", lambda *_, **__: pytest.fail("the disk was asked"))
    assert not may_be_drop("def f():\n    return '/tmp'\n")
    assert find_drops("def f():\n    return '/tmp'\n") is None
    assert find_drops("/tmp " * 100_000) is None


def test_a_lost_file_is_named(folder: Path) -> None:
    line = f"Pasted as text: there is no file {folder}/gone away.pdf on this machine"
    assert missing(backslashed(f"{folder}/gone away.pdf")) == line
    assert missing(f"'{folder}/gone away.pdf'") == line
    assert missing(f"file://{quote(str(folder))}/gone%20away.pdf") == line


@pytest.mark.parametrize("text", ["/help", "/usr/bin is there", "a.txt", "/a/b.txt\n/c/d.txt and more", "/a 'b.txt"])
def test_no_word_about_a_text(text: str) -> None:
    assert missing(text) is None
