"""The agent of the chat: whether questions go to it, what it may do, and the tools as commands of a person."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from textual.screen import Screen

from thoth import ingest
from thoth.actions import sources
from thoth.agent.permissions import Decision, Grants, Permissions, Wish
from thoth.agent.tool import Tool
from thoth.agent.tools import BUILT_IN
from thoth.errors import UsageError
from thoth.events import Answer, Call, Stats
from thoth.system import paths
from thoth.tui import drops
from thoth.tui.agent_runs import AgentRun, Question
from thoth.tui.messages import AgentWarned, PermissionWanted

if TYPE_CHECKING:
    from thoth.agent.loop import Agent
    from thoth.agent.mcp_servers import Servers
    from thoth.chats.sessions import Sessions
    from thoth.engine.engine import Engine
    from thoth.library.records import StoredDocument
    from thoth.settings import Settings
    from thoth.tui.engine_client import EngineClient
    from thoth.tui.engine_request import EngineLike, Listener, RequestLike

Start = Callable[["EngineLike", "Listener"], "RequestLike | None"]

_LONGEST_PATH = 4096
_NOTHING_ASKED = Stats(0, 0, 0, 0.0, 0.0, 0.0, 0, 0, 0)


class AgentController:
    """Makes agents for questions.

    Args:
        client: has the library, and knows whether the base can call tools.
        sessions: the chats.
        screen: gets `PermissionWanted` and `AgentWarned`.
    """

    def __init__(self, client: EngineClient, sessions: Sessions, screen: Screen[None]) -> None:
        self._client, self._sessions, self._screen = client, sessions, screen
        self._granted: dict[str, set[str]] = {}  # by chat, until the app is closed
        self._servers: Servers | None = None

    def question(
        self,
        messages: Sequence[dict[str, Any]],
        documents: Sequence[StoredDocument],
        chat: str,
        settings: Settings,
    ) -> Start:
        """Return what begins to answer a conversation with tools; it begins nothing for a base that knows none."""

        def start(engine: EngineLike, listener: Listener) -> RequestLike | None:
            if settings.agent == "off" or not self._client.has_tools:
                if settings.agent == "auto" and "://" in messages[-1]["content"]:
                    self._warn("This model cannot call tools; use /web-fetch ADDRESS, /help lists the others")
                return None

            def work(agent: Agent) -> Answer:
                agent.tools = [*BUILT_IN, *self._server_tools(settings)]  # starting servers takes seconds
                return agent.answer(messages)

            return AgentRun(self._agent(engine, documents, chat, settings, listener), work, listener)

        return start

    def command(
        self, call: Call, typed: str, documents: Sequence[StoredDocument], chat: str, settings: Settings
    ) -> Start:
        """Return what runs a tool that a person called: to type it is to permit it, private addresses excepted."""

        def start(engine: EngineLike, listener: Listener) -> RequestLike:
            def work(agent: Agent) -> Answer:
                agent.permit_typed(typed)
                step = agent.do(call)
                return Answer("" if step.state == "done" else step.result, _NOTHING_ASKED)

            agent = self._agent(engine, documents, chat, settings, listener)
            tool = next(tool for tool in BUILT_IN if tool.name == call.tool)
            agent.permissions = Permissions(
                agent.permissions.grants, agent.permissions.ask, {*tool.needs(call.arguments)}
            )
            return AgentRun(agent, work, listener)

        return start

    def close(self) -> None:
        """End the MCP servers."""
        if self._servers is not None:
            self._servers.close()

    def _agent(
        self,
        engine: EngineLike,
        documents: Sequence[StoredDocument],
        chat: str,
        settings: Settings,
        listener: Listener,
    ) -> Agent:
        from thoth.agent.bench import Bench
        from thoth.agent.loop import Agent

        bench = Bench(cast("Engine", engine), self._client.library, settings, self._sessions, chat, documents)

        def ask(wish: Wish) -> Decision:
            question = Question(wish)
            self._screen.post_message(PermissionWanted(question))
            return question.wait(bench.stopper)

        permissions = Permissions(Grants(paths.permissions()), ask, self._granted.setdefault(chat, set()))
        return Agent(bench, BUILT_IN, permissions, listener, settings.sampling())

    def _server_tools(self, settings: Settings) -> list[Tool]:
        if not settings.mcp:
            return []
        from thoth.agent.mcp_servers import Servers

        if self._servers is None:
            self._servers = Servers(settings.mcp, self._warn)
        return self._servers.tools()

    def _warn(self, line: str) -> None:
        self._screen.post_message(AgentWarned(line))

    async def decide(self, question: Question) -> None:
        """Show a dialog, and answer a question with what a person chose."""
        from thoth.tui.screens.permission import PermissionDialog

        if not question.decided:
            chosen = await self._screen.app.push_screen_wait(PermissionDialog(question.wish))
            question.decide(chosen or "no")


def call(tool: str, argument: str) -> Call:
    """Return the call that a command means.

    Raises:
        UsageError: The argument does not fit.
    """
    match tool:
        case "list_documents":
            return Call(tool, {})
        case "read_pages":
            name, _, pages = argument.rpartition(" ")
            first, _, last = pages.partition("-")
            if not name or not first.isdecimal() or not (last or first).isdecimal():
                raise UsageError("/read-pages needs a document and pages: /read-pages manual.pdf 3-4")
            return Call(tool, {"document": name.strip(), "first": int(first), "last": int(last or first)})
        case "remember":
            return Call(tool, _remembered(argument))
    (name,) = next(one for one in BUILT_IN if one.name == tool).parameters["properties"]
    return Call(tool, {name: argument})


def _remembered(argument: str) -> dict[str, str]:
    """Return what a person wants to be remembered, and of which kind it is.

    Raises:
        UsageError: It is a path where no file is: as a text it would tell nobody anything.
    """
    is_line = len(argument) < _LONGEST_PATH and "\n" not in argument
    written = drops.typed(sources.path_of(argument)) if is_line else []
    if len(written) == 1 and os.path.isfile(path := os.path.expanduser(written[0])):
        return {"kind": "file", "content": path}
    if is_line and argument.startswith(("/", "~/", "./", "../", "file://")) and not any(map(str.isspace, argument)):
        if os.path.isdir(os.path.expanduser(argument)):
            raise UsageError(f"{argument} is a folder; use /absorb {argument}")
        raise UsageError(f"there is no file {argument}; check the name")
    return {"kind": "address" if ingest.is_address(argument) else "text", "content": argument}
