r"""A LaTeX document's own commands: `\newcommand{\unit}[2]{#1\,#2}` and `\def\town{Harpool}` -> text.

Nothing is executed: arguments are put where the definition says, and how much may come of it is bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

_DEFINITION = re.compile(
    r"\\(?:newcommand|renewcommand|providecommand|DeclareRobustCommand|DeclareMathOperator|([gex]?def))(?![a-zA-Z])\*?\s*"
    r"\{?\s*\\([a-zA-Z@]+)\s*\}?"
)
_COUNT = re.compile(r"\s*\[(\d)\]")
_PARAMETERS = re.compile(r"(?:#[1-9]){0,9}")
_OPTIONAL = re.compile(r"[ \t]*\[([^\[\]]{0,300})\]")
_PARAMETER = re.compile(r"#([1-9])")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_MOST, _LONGEST = 500, 2_000
_MOST_LETTERS = 2_000_000  # that all commands together may become


@dataclass(frozen=True)
class Macro:
    """A command: how many arguments it takes, what the first is if it is optional, and what it becomes."""

    arguments: int
    default: str | None
    body: str


class Macros:
    """The commands of a document.

    Args:
        source: of the document, without comments.
    """

    def __init__(self, source: str) -> None:
        self._known: dict[str, Macro] = {}
        self._left = _MOST_LETTERS
        self.source = self._taken(source)

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def expanded(self, name: str, source: str, at: int) -> tuple[str, int]:
        """Return what a command becomes, and the place behind its arguments.

        Args:
            name: of the command.
            source: where it stands.
            at: the place behind its name.
        """
        macro, arguments = self._known[name], list[str]()
        if macro.default is not None:
            option = _OPTIONAL.match(source, at)
            arguments.append(option[1] if option else macro.default)
            at = option.end() if option else at
        while len(arguments) < macro.arguments:
            argument, at = group(source, at)
            arguments.append(argument)
        if not macro.arguments and source.startswith("{}", at):
            at += 2
        if f"\\{name}" in macro.body:
            return "", at
        text = _PARAMETER.sub(
            lambda one: arguments[int(one[1]) - 1] if int(one[1]) <= len(arguments) else "", macro.body
        )
        self._left -= len(text)
        return (text if self._left >= 0 else ""), at

    def _taken(self, source: str) -> str:
        """Take the definitions out of a source and return the rest."""
        rest, begin = [], 0
        for found in islice(_DEFINITION.finditer(source), _MOST):
            if found.start() < begin:
                continue
            at, default, count = found.end(), None, 0
            if found[1]:
                parameters = _PARAMETERS.match(source, at)
                at, count = (parameters.end(), len(parameters[0]) // 2) if parameters else (at, 0)
            elif number := _COUNT.match(source, at):
                at, count = number.end(), int(number[1])
                if option := _OPTIONAL.match(source, at):
                    at, default = option.end(), option[1]
            while source[at : at + 1].isspace():
                at += 1
            if source[at : at + 1] != "{":
                continue
            window = source[at : at + _LONGEST]
            body, length = group(window, 0)
            if len(body) + 2 != length:  # no end in sight
                continue
            self._known[found[2]] = Macro(count, default, body)
            rest.append(source[begin : found.start()])
            begin = at + length
        return "".join([*rest, source[begin:]])


def group(source: str, at: int) -> tuple[str, int]:
    """Return what is in the braces that open at a place, and the place behind them; one letter where none do."""
    while source[at : at + 1].isspace():
        at += 1
    if source[at : at + 1] != "{":
        return source[at : at + 1], at + 1
    depth = 0
    for found in _BRACES.finditer(source, at):
        depth += (found[0] == "{") - (found[0] == "}")
        if not depth:
            return source[at + 1 : found.start()], found.end()
    return source[at + 1 :], len(source)
