"""A page on this machine, and nothing beyond it."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from torch_train.nano.haystack import FILLER
from torch_train.nano.vocabulary import ADJECTIVES, NOUNS

_CONNECT, _ADDRESSES = socket.socket.connect, socket.getaddrinfo


def page() -> str:
    """A long page; who the mayor is stands at its end, beyond what a receipt tells."""
    draw = random.Random(0)
    filler = []
    for _ in range(60):
        words = zip(("a", "a2", "n", "n2"), [*draw.sample(ADJECTIVES, 2), *draw.sample(NOUNS, 2)], strict=True)
        filler.append(draw.choice(FILLER).format(**dict(words)))
    lines = "".join(f"<p>{sentence}</p>" for sentence in filler)
    return f"<html><title>Harpool</title><h1>Harpool</h1>{lines}<p>The mayor of Harpool is Osra Kelland.</p>"


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(page().encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served() -> Iterator[str]:
    """Serve the page; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/harpool"
    finally:
        server.shutdown()


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The page's address; nothing but this machine can be reached."""

    def connect(self: socket.socket, place: tuple[str, int]) -> None:
        assert place[0] == "127.0.0.1"
        _CONNECT(self, place)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", _ADDRESSES)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with served() as place:
        yield place
