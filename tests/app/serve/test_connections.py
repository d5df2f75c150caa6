"""Clients that neither send nor read, against a server on a thread with nothing behind it."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from thoth.serve.server import Address, Server
from thoth.serve.service import Limits

_ENDLESS = b"x" * (1 << 20)


class App:
    """Answers `/` at once, and everything else without end.

    Attributes:
        limits: of its server, which loses its patience with the first request where `impatient` says so.
        ended: set when an endless answer was given up.
    """

    def __init__(self) -> None:
        self.limits = Limits()
        self.impatient = False
        self.ended = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if self.impatient:
            object.__setattr__(self.limits, "body_seconds", 0.05)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/":
            await send({"type": "http.response.body", "body": b"ok"})
            return
        await receive()
        sending = asyncio.create_task(self._send(send))
        while (await receive())["type"] != "http.disconnect":
            pass
        sending.cancel()
        self.ended.set()

    async def _send(self, send: Any) -> None:
        while True:
            await send({"type": "http.response.body", "body": _ENDLESS, "more_body": True})
            await asyncio.sleep(0)  # after the end, uvicorn returns at once


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def connection(app: App) -> Iterator[socket.socket]:
    server = Server(app, app.limits, Address(port=0))
    server.start()
    with socket.create_connection(("127.0.0.1", server.address.port), timeout=60) as connection:
        yield connection
    server.stop()


def test_later_requests_of_a_connection_have_their_time_too(app: App, connection: socket.socket) -> None:
    """Else 256 connections, which need no key to get that far, would keep everybody else out."""
    app.impatient = True
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = connection.recv(65536)
    with suppress(ConnectionError):  # closed before the rest was sent
        connection.sendall(b"GET / HT")
        while piece := connection.recv(65536):
            answer += piece
    assert answer.count(b"HTTP/1.1 200") == 1


def test_an_answer_that_nobody_reads_is_given_up(app: App, connection: socket.socket) -> None:
    app.impatient = True
    connection.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert app.ended.wait(60)


def test_requests_that_come_together_are_answered_in_turn(connection: socket.socket) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
    answer = b""
    while answer.count(b"HTTP/1.1 200") < 3 and (piece := connection.recv(65536)):
        answer += piece
    assert answer.count(b"HTTP/1.1 200") == 3
