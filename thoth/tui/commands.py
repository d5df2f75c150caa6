"""What can be asked of the app in words: one table for the prompt's `/` commands, the palette and the help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from thoth.errors import UsageError


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        name: what is typed behind the slash.
        title: in the palette.
        help: one sentence.
        argument: what follows the name, as the help writes it; empty for nothing.
        required: whether it makes no sense without the argument.
        choices: what the argument may be; empty where it is anything.
    """

    name: str
    title: str
    help: str
    argument: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """How it is typed."""
        return f"/{self.name} {self.argument}".rstrip()


COMMANDS = (
    Command("absorb", "Absorb", "Absorb a file, folder or address; without one, choose files", "PATH|URL"),
    Command("docs", "Library", "Show or hide the library"),
    Command("new", "New chat", "Begin a new chat"),
    Command("sessions", "Chats", "Find, resume, rename, delete earlier chats"),
    Command("edit", "Edit question", "Change the last question and send it again"),
    Command("again", "Regenerate", "Answer the last question again"),
    Command("copy", "Copy", "Copy the last answer, or its N-th code block", "code [N]"),
    Command("compare", "Compare", "Answer the last question from the weights, in context, and without documents"),
    Command("details", "Answer details", "Show what stands behind the last answer"),
    Command("route", "Route", "Choose which chunks answer", "auto|all|none", True, ("auto", "all", "none")),
    Command("with-text", "With text", "Put the N best passages into the context too; 0 for none", "N", True),
    Command("settings", "Settings", "Change the settings"),
    Command("models", "Models", "Choose or download a model"),
    Command("export", "Export chat", "Write this chat to a .md or .json file", "FILE", True),
    Command("help", "Help", "Show keys and commands"),
    Command("quit", "Quit", "Leave Thoth"),
)

_BY_NAME = {command.name: command for command in COMMANDS}


def named(name: str) -> Command:
    """Return a command of the table."""
    return _BY_NAME[name]


def parse(text: str) -> tuple[Command, str] | None:
    """Return the command that a text is, and its argument; None for a question.

    Raises:
        UsageError: It looks like a command and is none, or lacks its argument.
    """
    word, _, argument = text.strip().partition(" ")
    if not text.startswith("/") or "/" in word[1:] or len(word) < 2 or "\n" in word:
        return None
    if (command := _BY_NAME.get(word[1:].lower())) is None:
        raise UsageError(f"there is no command {word}: /help lists them; a space in front makes it a question")
    argument = argument.strip()
    if command.required and not argument:
        raise UsageError(f"{command.usage}: what should it be?")
    if command.choices and argument and argument not in command.choices:
        raise UsageError(f"{command.usage}: there is no {argument}")
    return command, argument


def completions(text: str) -> list[Command]:
    """Return the commands that a text may become."""
    if not text.startswith("/") or any(mark in text for mark in " \n"):
        return []
    return [command for command in COMMANDS if command.name.startswith(text[1:].lower())]


def complete(text: str) -> str:
    """Return the text with as much added as is beyond doubt: of a command's name, or of its argument."""
    word, space, typed = text.partition(" ")
    if space:
        command = _BY_NAME.get(word[1:].lower())
        fitting = [choice for choice in command.choices if choice.startswith(typed)] if command else []
        return f"{word} {_common(fitting)}" if fitting else text
    found = completions(text)
    if not found:
        return text
    end = " " if len(found) == 1 and found[0].argument else ""
    return f"/{_common([command.name for command in found])}{end}"


def _common(words: list[str]) -> str:
    first, last = min(words), max(words)
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]


class Commanded(Protocol):
    """A screen that carries commands out."""

    def carry_out(self, command: Command, argument: str) -> None:
        """Do what the command says."""

    def begin_command(self, command: Command) -> None:
        """Write the command into the prompt, for its argument."""


class CommandProvider(Provider):
    """The table in the command palette."""

    async def discover(self) -> Hits:
        """Yield every command."""
        for command in COMMANDS:
            yield DiscoveryHit(command.title, self._callback(command), help=command.help)

    async def search(self, query: str) -> Hits:
        """Yield the commands whose title, name or help fits."""
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
