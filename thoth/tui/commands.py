"""The commands of the app: one table for the prompt's `/` commands, the palette and the help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from thoth.agent.tools import BUILT_IN
from thoth.errors import UsageError


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        name: the word after the slash.
        title: the command's title in the palette.
        help: one sentence.
        argument: the argument as the help shows it; empty for none.
        required: whether the argument is required.
        choices: allowed values of the argument; empty if any value is allowed.
    """

    name: str
    title: str
    help: str
    argument: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """The command with its argument, as the help shows it."""
        return f"/{self.name} {self.argument}".rstrip()


# Titles and arguments of the tools as commands, in the order of their table.
_TOOL_TITLES = (
    ("Search memory", "WORDS"),
    ("Ask memory", "QUESTION"),
    ("List documents", ""),
    ("Read pages", "DOCUMENT PAGES"),
    ("Remember", "TEXT|FILE|URL"),
    ("Forget", "DOCUMENT"),
    ("Web search", "WORDS"),
    ("Web fetch", "URL"),
)

COMMANDS = (
    Command("absorb", "Absorb", "Absorb a file, folder or URL; without one, choose files", "PATH|URL"),
    Command("docs", "Library", "Show or hide the library"),
    Command("new", "New chat", "Start a new chat"),
    Command("sessions", "Chats", "Find, resume, rename or delete earlier chats"),
    Command("edit", "Edit question", "Edit the last question and send it again"),
    Command("again", "Regenerate", "Answer the last question again"),
    Command("copy", "Copy", "Copy the last answer or its Nth code block", "code [N]"),
    Command("compare", "Compare", "Answer the last question three ways, side by side"),
    Command("details", "Answer details", "Show sources and cost of the last answer"),
    Command("route", "Route", "Choose which chunks to attach", "auto|all|none", True, ("auto", "all", "none")),
    Command("with-text", "With text", "Also put the N best passages into the context; 0 for none", "N", True),
    Command("in", "Collection", "Answer from a collection; off for the active documents", "NAME|off"),
    Command("system", "System prompt", "Set this chat's system prompt; off for none, nothing to see it", "TEXT|off"),
    *(
        Command(tool.name.replace("_", "-"), title, tool.description.removesuffix("."), argument, bool(argument))
        for tool, (title, argument) in zip(BUILT_IN, _TOOL_TITLES, strict=True)
    ),
    Command("steps", "Tool steps", "Show or hide arguments and results of the last answer's tools"),
    Command("permissions", "Permissions", "List what tools always or never may do, or revoke one", "NAME"),
    Command("settings", "Settings", "Change the settings"),
    Command("models", "Models", "Choose or download a model"),
    Command("serve", "Serve", "Serve other programs on this machine, or stop", "[PORT]"),
    Command("export", "Export chat", "Write this chat to a .md or .json file", "FILE", True),
    Command("help", "Help", "Show keys and commands"),
    Command("quit", "Quit", "Quit Thoth"),
)

_BY_NAME = {command.name: command for command in COMMANDS}


def named(name: str) -> Command:
    """Return a command of the table."""
    return _BY_NAME[name]


def parse(text: str) -> tuple[Command, str] | None:
    """Return the command in a text and its argument, or None if the text is a question.

    Raises:
        UsageError: The command is unknown, or its argument is missing or not allowed.
    """
    word, _, argument = text.strip().partition(" ")
    if not text.startswith("/") or "/" in word[1:] or len(word) < 2 or "\n" in word:
        return None
    if (command := _BY_NAME.get(word[1:].lower())) is None:
        raise UsageError(
            f"unknown command {word}; /help lists all commands. To send it as a question, start with a space"
        )
    argument = argument.strip()
    if command.required and not argument:
        raise UsageError(f"{command.usage}: the argument is missing")
    if command.choices and argument and argument not in command.choices:
        raise UsageError(f"{command.usage}: {argument} is not allowed")
    return command, argument


def completions(text: str) -> list[Command]:
    """Return the commands that begin with a text."""
    if not text.startswith("/") or any(mark in text for mark in " \n"):
        return []
    return [command for command in COMMANDS if command.name.startswith(text[1:].lower())]


def complete(text: str) -> str:
    """Complete a command's name, or its argument, as far as the completion is unique."""
    word, space, typed = text.partition(" ")
    if space:
        command = _BY_NAME.get(word[1:].lower())
        fitting = [choice for choice in command.choices if choice.startswith(typed)] if command else []
        return f"{word} {common(fitting)}" if fitting else text
    found = completions(text)
    if not found:
        return text
    end = " " if len(found) == 1 and found[0].argument else ""
    return f"/{common([command.name for command in found])}{end}"


def common(words: Sequence[str]) -> str:
    """Return how all of some words begin."""
    first, last = min(words), max(words)
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]


class Commanded(Protocol):
    """A screen that runs commands."""

    def carry_out(self, command: Command, argument: str) -> None:
        """Run a command."""

    def begin_command(self, command: Command) -> None:
        """Write a command into the prompt, ready for its argument."""


class CommandProvider(Provider):
    """The commands in the command palette."""

    async def discover(self) -> Hits:
        """Yield every command."""
        for command in COMMANDS:
            yield DiscoveryHit(command.title, self._callback(command), help=command.help)

    async def search(self, query: str) -> Hits:
        """Yield the commands whose title, name or help matches."""
        matcher = self.matcher(query)
        for command in COMMANDS:
            text = f"{command.title} ({command.usage})"
            if (score := max(matcher.match(text), 0.8 * matcher.match(command.help))) > 0:
                yield Hit(score, matcher.highlight(text), self._callback(command), help=command.help)

    def _callback(self, command: Command) -> Callable[[], None]:
        screen = cast(Commanded, self.screen)
        if command.required:
            return lambda: screen.begin_command(command)
        return lambda: screen.carry_out(command, "")
