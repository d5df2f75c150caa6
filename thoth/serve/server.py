"""A server on a socket: how it starts, and how it ends without losing an answer."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from thoth.errors import ThothError, UsageError
from thoth.serve.faults import Fault
from thoth.serve.guard import LOOPBACK, Rules
from thoth.serve.service import Limits

HOST, PORT = "127.0.0.1", 11435
_DRAIN_SECONDS = 30
_CONNECTIONS = 256


@dataclass(frozen=True)
class Address:
    """Where a server listens.

    Attributes:
        host: a name or number of this machine.
        port: 0 for any that is free.
    """

    host: str = HOST
    port: int = PORT

    @property
    def is_local(self) -> bool:
        """Whether nothing but this machine reaches it."""
        return self.host in LOOPBACK or self.host.startswith("127.")

    @property
    def url(self) -> str:
        """For clients."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def rules(address: Address, key: str | None, hosts: tuple[str, ...] = (), origins: tuple[str, ...] = ()) -> Rules:
    """Return who may come to an address.

    Raises:
        UsageError: Other machines reach it, and there is no key.
    """
    if not address.is_local and not key:
        raise UsageError(f"other machines reach {address.host}: give a key with --api-key, or listen on {HOST}")
    own = () if address.host in ("0.0.0.0", "::") else (address.host,)
    return Rules({*LOOPBACK, *own, *hosts}, origins, key)


class Server:
    """Serves until it is told to stop.

    Args:
        app: what it serves, as `app.application` makes it.
        limits: on headers, and on the time that they take.
        address: where it listens; the socket is opened at once.

    Attributes:
        address: where it listens, with the real port.

    Raises:
        ThothError: The address is taken, or not of this machine.
    """

    def __init__(self, app: ASGIApp, limits: Limits, address: Address) -> None:
        self._socket = _listen(address)
        self.address = replace(address, port=self._socket.getsockname()[1])
        self._config = uvicorn.Config(
            app,
            http=_protocol(limits),
            ws="none",
            lifespan="auto",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
            h11_max_incomplete_event_size=limits.header_bytes,
        )
        self._server = _Uvicorn(self._config)
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # errors are answered, and in the crash log
        self._thread: threading.Thread | None = None

    def run(self, ready: Callable[[Address], object] = lambda _: None) -> None:
        """Serve on this thread until SIGTERM or Ctrl-C; questions in flight are answered first, for 30 s at most."""
        self._server.ready = lambda: ready(self.address)
        before = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again at its end
        try:
            self._server.run(sockets=[self._socket])
        finally:
            signal.signal(signal.SIGTERM, before)

    def start(self) -> None:
        """Serve on a thread of its own; returns when clients can come."""
        up = threading.Event()
        self._server.ready = up.set
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve(sockets=[self._socket])), name="serve", daemon=True
        )
        self._thread.start()
        if not up.wait(_DRAIN_SECONDS):
            raise ThothError("the server does not start; see the log")

    def stop(self) -> None:
        """End what `start` began; questions in flight are answered first."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()


class _Uvicorn(uvicorn.Server):
    """Says when it listens; on a thread of its own it leaves signals alone (uvicorn does)."""

    ready: Callable[[], object] = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()


def _listen(address: Address) -> socket.socket:
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(*family[:3])  # with its protocol: asyncio sends pieces at once only where it knows TCP
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(family[4])
    except OSError as error:
        reason = error.strerror or str(error)
        raise ThothError(
            f"cannot listen on {address.host} port {address.port} ({reason}); choose another --port"
        ) from error
    return opened


def _protocol(limits: Limits) -> type[H11Protocol]:
    """h11 as uvicorn drives it, with time limits for clients that neither send nor read, and errors in our form."""

    class Protocol(H11Protocol):
        _head_due: asyncio.TimerHandle | None = None  # of the next request
        _read_due: asyncio.TimerHandle | None = None  # while an answer waits to be read

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch_head()

        def connection_lost(self, exc: Exception | None) -> None:
            for timer in (self._head_due, self._read_due):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch_head()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._watch_head()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._read_due = self.loop.call_later(limits.body_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._read_due is not None:
                self._read_due.cancel()

        def _watch_head(self) -> None:
            """Close the connection where the headers of a request take too long, the first or a later one."""
            if self.conn.their_state is not h11.IDLE:
                if self._head_due is not None:
                    self._head_due.cancel()
                    self._head_due = None
            elif self._head_due is None and not self.transport.is_closing():
                self._head_due = self.loop.call_later(limits.body_seconds, self.transport.close)

        def send_400_response(self, msg: str) -> None:
            long = len(self.conn.trailing_data[0]) > limits.header_bytes
            refused = Fault(431, "the headers are too long") if long else Fault(400, "this is not an HTTP request")
            body = bytes(refused.response().body)
            phrase = "Request Header Fields Too Large" if long else "Bad Request"
            head = (
                f"HTTP/1.1 {refused.status} {phrase}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
            )
            self.transport.write(f"{head}\r\nconnection: close\r\n\r\n".encode() + body)
            self.transport.close()

    return Protocol
