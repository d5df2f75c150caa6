"""What a tool call may do: grants that a person gave, kept in `<home>/permissions.json`, or a question to a person.

The only way to a grant is `Ask`, which shows a person the exact call. No text of a document, a page or a result comes
here as anything but an argument.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from mlx_hypernet.format import atomic
from thoth.agent.tool import FILES, FORGET, MCP, WEB, WRITE
from thoth.errors import UsageError
from thoth.system import disk

# An address of this machine or its own network: asked for each time, whatever else is granted.
PRIVATE = "private"

Decision = Literal["once", "chat", "always", "never", "no"]
Kept = Literal["always", "never"]

_MEANINGS = {
    FILES: "read a file",
    WRITE: "add to the library",
    FORGET: "remove from the library",
    WEB: "go to the web",
    PRIVATE: "reach this machine or its own network",
}


def meaning(need: str) -> str:
    """Return what a permission allows, in a few words."""
    return _MEANINGS.get(need) or f"use the MCP server {need.removeprefix(MCP)}"


def listed(meanings: Iterable[str]) -> str:
    """Return some phrases as one: "a, b and c"."""
    *before, last = meanings
    return f"{', '.join(before)} and {last}" if before else last


@dataclass(frozen=True)
class Wish:
    """A call that needs permissions not given yet.

    Attributes:
        tool: name of the tool.
        arguments: its arguments.
        needs: the permissions that are missing.
        file: the file that it reads, where its path says less: it is relative, or leads through links.
    """

    tool: str
    arguments: Mapping[str, Any]
    needs: tuple[str, ...]
    file: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether an answer may hold for more than this call."""
        return PRIVATE not in self.needs

    @property
    def purpose(self) -> str:
        """What the call wants to do: "add to the library and read a file"."""
        return listed(map(meaning, self.needs))

    def lines(self) -> list[str]:
        r"""Return the exact arguments, a line each, with everything that cannot be seen as escapes; then the file."""
        arguments = [f"{escaped(name)}: {escaped(value)}" for name, value in self.arguments.items()]
        return [*arguments, *([f"this is the file {escaped(self.file)}"] if self.file else [])]


# Letters that take no place or an empty one, though Unicode counts them among the visible ones.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def escaped(value: object) -> str:
    r"""Return a value as one line, with what cannot be seen as escapes, `\n` for example; values but texts as JSON.

    A model that a page has talked into it can hide a text in characters that no screen shows (Unicode's tags).
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(map(_visible, text))


def _visible(letter: str) -> str:
    if letter == "\\":
        return "\\\\"
    # Categories of controls and separators; a space is one that can be seen.
    hidden = letter != " " and (unicodedata.category(letter)[0] in "CZ" or _BLANK.match(letter))
    return letter.encode("unicode_escape").decode() if hidden else letter


Ask = Callable[[Wish], Decision]


def refuse(_: Wish) -> Decision:
    """Permit nothing: where no person can be asked."""
    return "no"


@dataclass(frozen=True)
class Grant:
    """What a person decided for good.

    Attributes:
        need: the permission.
        decision: see `Kept`.
        since: the date.
    """

    need: str
    decision: Kept
    since: str


class Grants:
    """The decisions that are kept, in one file.

    Args:
        path: the file, usually `<home>/permissions.json`; a missing file has none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[Grant]:
        """Return all decisions, by permission.

        Raises:
            UsageError: The file cannot be read or holds something else; nothing is granted then.
        """
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
            grants = [Grant(need, one["decision"], str(one["since"])) for need, one in sorted(values.items())]
            if any(grant.decision not in ("always", "never") for grant in grants):
                raise ValueError("an unknown decision")
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(f"{self._path} holds no permissions ({error}); delete it and decide again") from error
        return grants

    def put(self, needs: Collection[str], decision: Kept) -> None:
        """Keep a decision."""
        since = datetime.now(UTC).date().isoformat()
        others = [grant for grant in self.all() if grant.need not in needs]
        self._write([*others, *(Grant(need, decision, since) for need in needs)])

    def revoke(self, need: str) -> bool:
        """Forget a decision, so that it is asked for again; returns False if there was none."""
        grants = self.all()
        left = [one for one in grants if one.need != need]
        if len(left) == len(grants):
            return False
        self._write(left)
        return True

    def _write(self, grants: Collection[Grant]) -> None:
        values = {grant.need: {"decision": grant.decision, "since": grant.since} for grant in grants}
        with disk.explained(self._path.parent):
            disk.make_private_folder(self._path.parent)
            atomic.write_text(self._path, json.dumps(values, indent=2) + "\n")


@dataclass
class Permissions:
    """Decides about the calls of one chat.

    Attributes:
        grants: what holds for good.
        ask: asks a person; called on the agent's thread, and may take as long as a person does.
        chat: permissions given for this chat.
    """

    grants: Grants
    ask: Ask = refuse
    chat: set[str] = field(default_factory=set)

    def missing(self, needs: Collection[str]) -> tuple[str, ...]:
        """Return those of some permissions that a person must be asked for."""
        always = {grant.need for grant in self.grants.all() if grant.decision == "always"}
        return tuple(need for need in needs if need == PRIVATE or need not in always | self.chat)

    def refused(self, needs: Collection[str]) -> bool:
        """Tell whether a person said never to one of them."""
        return any(grant.decision == "never" and grant.need in needs for grant in self.grants.all())

    def decide(self, wish: Wish) -> bool:
        """Ask a person, keep the answer as long as it holds, and return whether the call may run."""
        decision = self.ask(wish)
        if not wish.is_kept and decision in ("chat", "always"):
            decision = "once"
        if decision == "chat":
            self.chat.update(wish.needs)
        if decision in ("always", "never") and wish.is_kept:
            self.grants.put(wish.needs, "always" if decision == "always" else "never")
        return decision in ("once", "chat", "always")
