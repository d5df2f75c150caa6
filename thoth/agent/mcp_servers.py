"""Tools of MCP servers: named in the settings, run on one thread, bounded in time and size.

A server that hangs, dies or floods costs one line, and its tools are gone until the next start. What a server says of
its tools and what they return is data.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shlex
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from thoth.actions.wording import count
from thoth.agent import mcp_content
from thoth.agent.tool import MCP, Arguments, Result, Tool
from thoth.agent.tools import BUILT_IN
from thoth.errors import Stopped, ThothError
from thoth.ingest import is_address
from thoth.system import terminal

if TYPE_CHECKING:
    from mcp import Client

    from thoth.agent.bench import Bench

START_SECONDS = 60.0  # `npx` may have to fetch a server first
CALL_SECONDS = 60.0
_END_SECONDS = 5.0
_MOST_TOOLS = 32  # of one server: their schemas are in each prompt
_NAMED = 3  # tools, in the line about those that were left out
_NO_SERVER = ("Not Found", "Server returned an error response")  # the SDK's words for an HTTP status
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")

Warn = Callable[[str], object]


@dataclass
class _Server:
    """A server from its start to its end.

    Attributes:
        name: in the settings.
        place: a command or an address.
        over: set when its connection shall end.
        listed: the tools it offers, or why there are none.
        failed: why it is gone.
    """

    name: str
    place: str
    over: asyncio.Event = field(default_factory=asyncio.Event)
    listed: Future[list[Tool]] = field(default_factory=Future)
    failed: str = ""


class Servers:
    """The MCP servers of the settings; started together when their tools are first asked for.

    Args:
        named: name -> a command, or an address (http, https).
        warn: called with one line for each server or tool that cannot be used.
    """

    def __init__(self, named: Mapping[str, str], warn: Warn) -> None:
        self._named, self._warn = dict(named), warn
        self._servers: list[_Server] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._tasks: list[Future[None]] = []
        self._names = {tool.name for tool in BUILT_IN}  # a server may not stand in for a tool that is known

    def tools(self) -> list[Tool]:
        """Return the tools of all servers that answer in time; starts them on the first call, and blocks."""
        with self._lock:
            if self._loop is None and self._named:
                self._start()
        found: list[Tool] = []
        for server in self._servers:
            if server.failed:
                continue
            try:
                found += server.listed.result(START_SECONDS + _END_SECONDS)
            except Exception as error:
                self._fail(server, error)
        return found

    def close(self) -> None:
        """End all servers; waits a few seconds at most."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        for server in self._servers:
            loop.call_soon_threadsafe(server.over.set)
        for task in self._tasks:
            try:
                task.result(_END_SECONDS)
            except Exception:
                task.cancel()
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(_END_SECONDS)
        if not self._thread.is_alive():
            loop.close()

    def _start(self) -> None:
        self._loop = loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="mcp", daemon=True)
        self._thread.start()
        for name, place in self._named.items():
            server = _Server(name, place)
            self._servers.append(server)
            if not _NAME.fullmatch(name):
                self._fail(server, ThothError("its name may have letters, digits, - and _ only"))
                continue
            self._tasks.append(asyncio.run_coroutine_threadsafe(self._serve(server), loop))

    def _fail(self, server: _Server, error: BaseException, fault: str = "") -> str:
        """Give a server up, and say so once."""
        reason = terminal.printable(fault or _reason(error))
        if not server.failed:
            server.failed = reason
            self._warn(f"MCP server {server.name}: {reason}; continuing without it")
        return reason

    # On the servers' thread

    async def _serve(self, server: _Server) -> None:
        """Hold the connection to a server until it fails or is ended; its client begins and ends in this one task."""
        transport: Any = None
        try:
            transport = _transport(server.place)
            async with asyncio.timeout(START_SECONDS) as limit:
                async with _client(transport) as client:
                    server.listed.set_result(await self._list(server, client, transport))
                    limit.reschedule(None)
                    await server.over.wait()
        except BaseException as error:
            self._fail(server, error, getattr(transport, "fault", ""))
            if not server.listed.done():
                server.listed.set_result([])
            if isinstance(error, asyncio.CancelledError):
                raise

    async def _call(self, server: _Server, client: Client, transport: Any, tool: str, given: dict[str, Any]) -> str:
        """Call a tool; cancelling this tells the server, which then may be asked something else."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                result = await client.call_tool(tool, given)
        except Exception as error:
            from mcp import MCPError
            from pydantic import ValidationError

            reason = _reason(error)
            if not isinstance(error, (MCPError, ValidationError)) or _is_closed(error):  # else it answered somehow
                reason = self._fail(server, error, getattr(transport, "fault", ""))
                server.over.set()
            raise ThothError(f"MCP server {server.name}: {reason}") from error
        text = mcp_content.text(result)
        if result.is_error:
            raise ThothError(f"{server.name}: {text[:500]}")
        return text

    async def _list(self, server: _Server, client: Client, transport: Any) -> list[Tool]:
        offered: list[Any] = []
        cursor: str | None = None
        while True:
            page = await client.list_tools(cursor=cursor)
            offered += page.tools
            cursor = page.next_cursor
            if cursor is None or len(offered) > _MOST_TOOLS:
                break
        if len(offered) > _MOST_TOOLS:
            self._warn(f"MCP server {server.name} offers more than {_MOST_TOOLS} tools; using the first {_MOST_TOOLS}")
        tools: list[Tool] = []
        left_out: list[str] = []
        for one in offered[:_MOST_TOOLS]:
            name = mcp_content.tool_name(server.name, one.name)
            if fault := mcp_content.fault(one) or self._taken(name):
                left_out.append(f"{name} ({fault})")
                continue
            self._names.add(name)
            call = partial(self._call, server, client, transport, one.name)
            run, needs = self._runner(server, call), _needing(MCP + server.name)
            tools.append(Tool(name, mcp_content.description(one), dict(one.input_schema), run, needs))
        if left_out:
            more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
            names = ", ".join(left_out[:_NAMED])
            self._warn(f"MCP server {server.name}: left out {count(len(left_out), 'tool')}: {names}{more}")
        return tools

    def _taken(self, name: str) -> str:
        """Return why a tool cannot have a name; empty if it can."""
        return "another tool has this name" if name in self._names else ""

    # On any thread

    def _runner(
        self, server: _Server, call: Callable[[dict[str, Any]], Coroutine[Any, Any, str]]
    ) -> Callable[[Bench, Arguments], Result]:
        def run(bench: Bench, given: Arguments) -> Result:
            loop = self._loop
            if server.failed or loop is None:
                raise ThothError(f"MCP server {server.name} is gone ({server.failed or 'ended'})")
            running = asyncio.run_coroutine_threadsafe(call(dict(given)), loop)
            with bench.stopper.holding(_Waiting(running)):
                try:
                    return Result(running.result(CALL_SECONDS + _END_SECONDS))
                except CancelledError:
                    raise Stopped("stopped") from None
                except TimeoutError as error:
                    self._fail(server, error)
                    raise ThothError(f"MCP server {server.name}: {_reason(error)}") from error

        return run


@dataclass
class _Waiting:
    """A call that the agent waits for."""

    call: Future[str]

    def close(self) -> None:
        """Wait no longer."""
        self.call.cancel()


def _needing(need: str) -> Callable[[Arguments], tuple[str, ...]]:
    return lambda _: (need,)


def _client(transport: Any) -> Client:
    from mcp import Client, Implementation

    from thoth.system.version import __version__

    # Its warnings and tracebacks would go to the terminal, in the middle of the app; what counts comes as an error.
    if not (logger := logging.getLogger("mcp")).handlers:
        logger.addHandler(logging.NullHandler())
    return Client(transport, client_info=Implementation(name="thoth", version=__version__))


def _transport(place: str) -> Any:
    """Return the way to a server.

    Raises:
        ThothError: The settings have no command that a shell could read.
    """
    from thoth.agent.mcp_transport import LimitedHttp, LimitedProcess

    if is_address(place):
        return LimitedHttp(place)
    try:
        words = shlex.split(place)
    except ValueError as error:
        raise ThothError("a quote in its command is left open") from error
    settings: dict[str, str] = {}
    while words and re.fullmatch(r"[A-Za-z_]\w*=.*", words[0]):  # NAME=value before the command, as in a shell
        name, _, value = words.pop(0).partition("=")
        settings[name] = value
    if not words:
        raise ThothError("no command; write one, or an address")
    return LimitedProcess(words, settings)


def _is_closed(error: BaseException) -> bool:
    """Tell whether a connection ended; a server's own error may say "closed" of anything."""
    from anyio import BrokenResourceError, ClosedResourceError, EndOfStream

    closed = (BrokenResourceError, ClosedResourceError, EndOfStream)
    return isinstance(error, closed) or getattr(error, "message", "") == "Connection closed"


def _reason(error: BaseException) -> str:
    """One line about what happened; a group of errors counts as its first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if _is_closed(error):
        return "it ended"
    if isinstance(error, FileNotFoundError):
        return "its command is not installed"
    if isinstance(error, PermissionError):
        return "its command may not be run"
    said = str(error)
    if type(error).__name__ == "ValidationError" or "Failed to parse" in said:  # pages about pydantic's own types
        return "what it sends does not follow the protocol"
    if "connection attempts failed" in said:
        return "nothing answers at its address"
    if said in _NO_SERVER or said.startswith("Unexpected content type"):
        return "its address answers, but not as an MCP server"
    return " ".join(said.split())[:200] or type(error).__name__
