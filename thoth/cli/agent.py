"""`--agent` and `--allow`: an agent in place of the model alone, whose permissions are given beforehand.

`thoth ask` refuses all others; `thoth chat` asks for them where a person can answer.
"""

import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from thoth.actions.wording import count
from thoth.cli import console
from thoth.errors import ModelError, UsageError
from thoth.system import paths

if TYPE_CHECKING:
    from thoth.actions.ask import Way
    from thoth.actions.chat import Chat
    from thoth.actions.requests import Listener
    from thoth.actions.workspace import Workspace
    from thoth.agent.permissions import Decision, Wish
    from thoth.agent.tool import Tool
    from thoth.chats.sessions import Sessions
    from thoth.engine.prompt import Message
    from thoth.events import Answer, Event, Step

# Of a result, as a person reads it; the whole one is in the chat.
_LINES, _LETTERS = 12, 300


def allowed(text: str | None, servers: Sequence[str]) -> set[str]:
    """Return the permissions that `--allow` names; "mcp" stands for all MCP servers of the settings.

    Raises:
        UsageError: There is no such permission.
    """
    from thoth.agent.tool import FILES, FORGET, MCP, WEB, WRITE

    every = {MCP + server for server in servers}
    found: set[str] = set()
    for name in (text or "").replace(" ", "").split(","):
        if name == "mcp":
            found |= every
        elif name in {FILES, WRITE, FORGET, WEB} | every:
            found.add(name)
        elif name:
            known = ", ".join([FILES, WRITE, FORGET, WEB, *(["mcp", *sorted(every)] if every else [])])
            raise UsageError(f"--allow knows no {name}; it takes: {known}")
    return found


@dataclass
class CommandAgent:
    """Answers in place of the model alone; steps and refusals are lines on stderr.

    Attributes:
        session: the model and the library.
        tools: those that the model may call.
        sessions: stores the chats; None: the chat is not stored.
        allowed: permissions that were given on the command line.
        quiet: print no steps.
        asks: ask for permissions that are missing, if standard input and error are a terminal.
        steps: those of the last answer.
        refused: the permissions that were missing.
    """

    session: "Workspace"
    tools: "Sequence[Tool]"
    sessions: "Sessions | None"
    allowed: set[str]
    quiet: bool = False
    asks: bool = False
    steps: "list[Step]" = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._given = frozenset(self.allowed)

    def begin_chat(self) -> None:
        """Forget what was permitted for one chat."""
        self.allowed = {*self._given}

    def answer(self, talk: "Chat", messages: "Sequence[Message]", way: "Way", listener: "Listener") -> "Answer":
        """Answer a conversation; the signature but for the chat is `actions.chat.Respond`."""
        from thoth.agent.bench import Bench
        from thoth.agent.loop import Agent
        from thoth.agent.permissions import Grants, Permissions
        from thoth.events import Step

        assert talk.session is not None
        self.steps.clear()
        self.refused.clear()
        session = self.session
        bench = Bench(
            session.engine, session.library, session.settings, self.sessions, talk.session.id, [*way.documents]
        )
        bench.progress = console.progress("absorbing what a tool found")
        permissions = Permissions(Grants(paths.permissions()), self._ask, self.allowed)

        def listen(event: "Event") -> None:
            if isinstance(event, Step):
                self.steps[event.number :] = [event]
                self._show(event)
            listener(event)

        agent = Agent(bench, self.tools, permissions, listen, session.settings.sampling())
        try:
            return agent.answer(messages)
        except KeyboardInterrupt:
            bench.stopper.stop()
            raise
        finally:
            if self.sessions is None:  # nothing else would remove what belongs to a chat that is not stored
                for document in session.library.known(bench.own):
                    if document.of_chat:
                        session.library.remove(document.id)

    def facts(self) -> dict[str, Any]:
        """Return what JSON says about the steps."""
        return {
            "steps": [asdict(step) for step in self.steps],
            "permissions": {"allowed": sorted(self.allowed), "refused": sorted(self.refused)},
        }

    def _ask(self, wish: "Wish") -> "Decision":
        """Ask, or refuse and say what would permit it; an address of this machine that was typed is asked about."""
        from thoth.actions.sources import Source
        from thoth.agent.permissions import PRIVATE, listed, meaning
        from thoth.ingest import is_address

        if self.asks and sys.stdin.isatty() and sys.stderr.isatty():
            return _asked(wish)
        if wish.needs == (PRIVATE,):
            address = next(value for value in map(str, wish.arguments.values()) if is_address(value))
            return "once" if console.may_fetch(Source(address)) else "no"
        missing = [need for need in wish.needs if need != PRIVATE]
        self.refused.update(missing)
        what = listed(map(meaning, missing))
        console.say(f"{wish.tool} was refused: it wants to {what}; to permit it, add --allow {','.join(missing)}")
        return "no"

    def _show(self, step: "Step") -> None:
        from thoth.actions import readable
        from thoth.agent import wrapping
        from thoth.agent.permissions import escaped

        if step.ended and step.state != "refused" and not self.quiet:
            given = ", ".join(escaped(value) for value in step.arguments.values())
            why = f": {wrapping.reason(step.result)}" if step.state == "failed" else ""
            console.say(f"{step.tool}({given[:100]}): {step.state}, {step.seconds:.1f} s{why}")
            if step.state == "done":
                _show_result(wrapping.readable(step.result))
                for document in self.session.library.known(step.documents):
                    if line := readable.warning(document, self.session.pair.name):
                        console.say(line)


def _show_result(text: str) -> None:
    """Print the beginning of a result: what a tool found, the model may only say that there is something."""
    lines = text.splitlines()
    for line in lines[:_LINES]:
        print(f"  {line if len(line) <= _LETTERS else f'{line[:_LETTERS]}…'}", file=sys.stderr)
    if len(lines) > _LINES:
        print(f"  … {count(len(lines) - _LINES, 'more line')}", file=sys.stderr, flush=True)


def _asked(wish: "Wish") -> "Decision":
    """Ask on the terminal. Only a choice itself permits, and nothing that was typed before the question."""
    console.say(f"{wish.tool} wants to {wish.purpose}")
    for line in wish.lines():
        print(f"  {line}", file=sys.stderr)
    answers: dict[str, Decision] = {"o": "once", "once": "once"}
    choices = "[o]nce"
    if wish.is_kept:
        answers |= {"c": "chat", "chat": "chat", "a": "always", "always": "always", "v": "never", "never": "never"}
        choices = "[o]nce, this [c]hat, [a]lways, ne[v]er"
    print(f"  Permit it? {choices}; Enter refuses: ", end="", file=sys.stderr, flush=True)
    with suppress(OSError, termios.error):  # no terminal of its own
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    return answers.get(sys.stdin.readline().strip().lower(), "no")


@contextmanager
def begun(
    session: "Workspace", sessions: "Sessions | None", given: set[str], *, quiet: bool, asks: bool = False
) -> "Iterator[CommandAgent]":
    """Give an agent with all tools, those of the MCP servers too, for the length of the block.

    Raises:
        ModelError: The base cannot call tools.
    """
    from thoth.agent.mcp_servers import Servers
    from thoth.agent.tools import BUILT_IN

    if not session.engine.has_tools():
        raise ModelError(
            f"the chat template of {session.pair.name} knows no tools; leave out --agent, or use another model"
        )
    servers = Servers(session.settings.mcp, console.say)
    try:
        yield CommandAgent(session, [*BUILT_IN, *servers.tools()], sessions, given, quiet, asks)
    finally:
        servers.close()
