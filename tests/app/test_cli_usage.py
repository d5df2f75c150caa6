"""Help and usage of the command line: nothing is cut, and no library's own sentence is shown."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer
from typer.testing import Result

from thoth.cli import app

Run = Callable[..., Result]
# What typer, its parser and pydantic say of arguments that they refuse.
FOREIGN = ("Error:", "Usage:", "Try '", "Input should", "Value error", "No such", "Got unexpected", "Missing argument")


def groups(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command by its names, the groups included."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from groups(child, (*path, name))


EVERY = [*groups(typer.main.get_command(app))]


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_help_fits_80_columns(thoth: Run, path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = thoth(*path, "--help")
    assert result.exit_code == 0
    descriptions = result.stdout.partition("Commands:")[2]
    assert "..." not in descriptions
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert not any(name in result.stdout for name in ("list[", "<str>", "<int>", "<path>"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "unknown command nothing; thoth has: try, ask, chat, absorb, "),
        (["asc", "x"], "unknown command asc (similar: ask); thoth has: try, ask"),
        (["docs", "nothing"], "unknown command nothing; thoth docs has: list, show, "),
        (["absorb"], "PATH is missing; see `thoth absorb --help`"),
        (["export", "one"], "is missing; see `thoth export --help`"),
        (["docs", "show"], "ID is missing; see `thoth docs show --help`"),
        (["ask", "--nothing"], "unknown option --nothing"),
        (["ask", "--routes", "all"], "unknown option --routes (similar: --route"),
        (["docs", "list", "a", "(b)"], "too many arguments: a (b); see `thoth docs list --help`"),
        (["absorb", "--chunking"], "option --chunking needs a value"),
        (["docs", "list", "--json=3"], "option --json takes no value"),
        (["serve", "--port", "many"], "the value of --port is not allowed; see `thoth serve --help`"),
        (["serve", "--port", "70000"], "the value of --port is not allowed"),
        (["mcp", "--port", "8000"], "--port is for a server on a port; use it with --http"),
        (["mcp", "--allow-urls", "install", "--client", "claude"], "--allow-urls has no effect before install; see"),
        (
            ["ask", "--temp", "1", "--seed", "1" + "0" * 20, "x"],
            "a whole number, 0 or more, 9223372036854775807 at most",
        ),
        (["absorb", "x", "--chunking", "words"], "--chunking must be one of meaning, tokens, not 'words'"),
        (["models", "pull", "nano", "--force", "--bits", "3"], "--bits must be one of 16, 8, 6, 4, not '3'"),
        (["models", "pull", "nano", "--force", "--bits", "few"], "--bits must be one of 16, 8, 6, 4, not 'few'"),
    ],
)
def test_arguments_that_are_wrong(thoth: Run, arguments: list[str], says: str) -> None:
    result = thoth(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert result.stderr.startswith("thoth: ")
    assert result.stderr.count("\n") == 1
    assert not any(sentence in result.stderr for sentence in FOREIGN)


@pytest.mark.parametrize(
    ("option", "value", "expects"),
    [
        ("--top-k", "0", "a whole number, 1 or more, not 0"),
        ("--top-k", "many", "a whole number, 1 or more, not 'many'"),
        ("--with-text", "-1", "a whole number, 0 or more, not -1"),
        ("--max-tokens", "1.5", "a whole number, 1 or more, not '1.5'"),
        ("--route", "some", "one of auto, all, none, not 'some'"),
    ],
)
def test_values_that_are_wrong(option: str, value: str, expects: str) -> None:
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, ["ask", option, value, "x"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"thoth: {option} must be {expects}\n"


@pytest.mark.parametrize("group", ["docs", "models"])
def test_a_group_alone_shows_its_help(thoth: Run, group: str) -> None:
    result = thoth(group)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Commands:" in result.stderr


def test_an_answer_of_no_changes_nothing(thoth: Run, note: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    thoth("absorb", note)
    monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    result = thoth("docs", "remove", "note.txt", stdin="n\n")
    assert result.exit_code == 1
    assert "cancelled; nothing was changed" in result.stderr
    assert "note.txt" in thoth("docs", "list").stdout


def test_an_unexpected_error_is_one_line(thoth: Run, home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a sentence of Python's own")

    monkeypatch.setattr("thoth.library.library.Library.documents", fail)
    result = thoth("docs", "list")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"thoth: internal error; please report the contents of {home / 'error.log'}\n"
    assert "a sentence of Python's own" in (home / "error.log").read_text()
