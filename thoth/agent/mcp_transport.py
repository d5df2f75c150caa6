"""Connections to MCP servers that cannot fill the memory: a line and what comes between two messages are bounded."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import Any

import anyio
import httpx2
from mcp.client.stdio import get_default_environment
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

LONGEST_LINE = 4 << 20
MOST_BYTES = 16 << 20  # that a server sends after one message to it, or in one response
_END_SECONDS = 1.0
_LOG_BYTES = 4096
_LONGEST_REASON = 200  # letters

TOO_MUCH = f"it sends more than {MOST_BYTES >> 20} MB at once"

Streams = tuple[Any, Any]  # of messages from the server, and to it


class LimitedProcess(AbstractAsyncContextManager[Streams]):
    """A server that is a process of its own: a message a line, on its standard input and output.

    Args:
        command: the program and its arguments.
        environment: variables beside PATH, HOME and the like.

    Attributes:
        fault: why the connection ended, where this side or the server's log knows it.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = command
        self._environment = get_default_environment() | dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._received = 0
        self._logged = b""
        self.fault = ""

    async def __aenter__(self) -> Streams:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
            env=self._environment,
            start_new_session=True,  # its children end with it, and Ctrl-C is ours
        )
        to_us, read = anyio.create_memory_object_stream[Any](0)
        write, from_us = anyio.create_memory_object_stream[SessionMessage](0)
        self._logging = asyncio.create_task(self._log())
        reading, writing = asyncio.create_task(self._read(to_us)), asyncio.create_task(self._write(from_us))
        self._tasks = [self._logging, reading, writing]
        return read, write

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # A grandchild may hold the pipe open, or what was not read may fill it: `wait` would wait for its end.
        process._transport.close()  # type: ignore[attr-defined]
        await process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, to_us: Any) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async with to_us:
                try:
                    while line := await self._process.stdout.readline():
                        self._received += len(line)
                        if self._received > MOST_BYTES:
                            self.fault = TOO_MUCH
                            return
                        await to_us.send(_message(line))
                    await asyncio.wait([self._logging], timeout=_END_SECONDS)
                    self.fault = _last_words(self._logged)
                except ValueError:  # no end of line within the limit
                    self.fault = TOO_MUCH

    async def _log(self) -> None:
        """Keep the end of what the server logs: it may say why it ended."""
        assert self._process is not None
        assert self._process.stderr is not None
        while part := await self._process.stderr.read(_LOG_BYTES):
            self._logged = (self._logged + part)[-_LOG_BYTES:]

    async def _write(self, from_us: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(OSError):
            async with from_us:
                async for message in from_us:
                    self._received = 0
                    text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                    self._process.stdin.write(text.encode() + b"\n")
                    await self._process.stdin.drain()


def _last_words(log: bytes) -> str:
    """Return why a server ended, as its log says it: the last line about an error, or else the last line."""
    lines = [line.strip() for line in log.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return f"it ended: {(errors or lines)[-1][:_LONGEST_REASON]}" if lines else ""


def _message(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:  # servers print what they should log; the session skips it
        return error


class LimitedHttp(AbstractAsyncContextManager[Streams]):
    """A server at an address (streamable HTTP).

    Args:
        address: where it is.

    Attributes:
        fault: why the connection was ended from this side; empty if it was not.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._open = AsyncExitStack()
        self.fault = ""

    async def __aenter__(self) -> Streams:
        transport, timeout = _LimitedTransport(self), httpx2.Timeout(30.0, read=300.0)
        client = await self._open.enter_async_context(httpx2.AsyncClient(transport=transport, timeout=timeout))
        streams: Streams = await self._open.enter_async_context(
            streamable_http_client(self._address, http_client=client)
        )
        return streams

    async def __aexit__(self, *error: Any) -> bool | None:
        return await self._open.__aexit__(*error)


class _LimitedTransport(httpx2.AsyncBaseTransport):
    def __init__(self, server: LimitedHttp) -> None:
        self._server = server
        self._inner = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        response.stream = _LimitedStream(response.stream, self._server)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _LimitedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: Any, server: LimitedHttp) -> None:
        self._inner, self._server = inner, server

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        async for part in self._inner:
            received += len(part)
            if received > MOST_BYTES:
                self._server.fault = TOO_MUCH
                raise httpx2.ReadError(TOO_MUCH)
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()
