"""The table of commands: what is one, what it may become, and that the screen knows all of them."""

from __future__ import annotations

import inspect

import pytest

from thoth.agent.tools import BUILT_IN
from thoth.errors import UsageError
from thoth.tui.commands import COMMANDS, complete, completions, parse
from thoth.tui.controllers.commands import CommandController


@pytest.mark.parametrize("text", ["hello", " /new", "/usr/bin is what?", "/", "/\nnew", "1/2", "/home/ana/a.pdf"])
def test_questions_are_no_commands(text: str) -> None:
    assert parse(text) is None


def test_a_command_and_its_argument() -> None:
    parsed = parse("/Absorb  ~/my papers/a.pdf ")
    assert parsed is not None
    assert (parsed[0].name, parsed[1]) == ("absorb", "~/my papers/a.pdf")


@pytest.mark.parametrize(
    ("text", "says"), [("/nope", "unknown command"), ("/route", "/route"), ("/route x", "x is not allowed")]
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(text)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("/ab", "/absorb "),
        ("/co", "/co"),
        ("/com", "/compare"),
        ("/xyz", "/xyz"),
        ("/se", "/se"),
        ("/set", "/settings"),
        ("/route a", "/route a"),
        ("/route au", "/route auto"),
        ("/new x", "/new x"),
    ],
)
def test_completion_adds_what_is_beyond_doubt(typed: str, completed: str) -> None:
    assert complete(typed) == completed


def test_every_prefix_of_a_name_finds_it() -> None:
    for command in COMMANDS:
        for end in range(1, len(command.name) + 2):
            assert command in completions(f"/{command.name}"[:end])


def test_the_screen_carries_out_every_command() -> None:
    source = inspect.getsource(CommandController.carry_out)
    tools = {tool.name.replace("_", "-") for tool in BUILT_IN}  # run by their names
    assert all(f'case "{command.name}":' in source for command in COMMANDS if command.name not in tools)
