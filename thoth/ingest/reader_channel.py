"""The reader process's end of the connection to Thoth: requests come in, messages go out.

While a file is read, Thoth may lend a second reader process: the connection to it comes as a file descriptor.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from thoth.ingest import wire

_AT_ONCE = 1 << 16  # bytes; for more, memory comes from the system for each call
_LATEST_SECONDS = 0.02  # each message wakes Thoth up: those of quick pages go together


class Channel:
    """The connection to Thoth.

    Args:
        connection: a Unix socket.
        max_request_bytes: longest document that a request may bring along.
    """

    def __init__(self, connection: socket.socket, max_request_bytes: int) -> None:
        self._connection = connection
        self._messages = wire.Messages(max_request_bytes)
        self._came: deque[tuple[dict[str, Any], bytes]] = deque()
        self._lent: deque[socket.socket] = deque()  # connections, in the order of the messages that brought them
        self._waiting: list[bytes] = []
        self._sent = 0.0  # when the last message was

    def send(self, header: dict[str, Any], body: bytes = b"", *, may_wait: bool = False) -> None:
        """Send a message.

        Args:
            header: of the message.
            body: of the message.
            may_wait: whether it can go with the next one, if the last was sent just now.
        """
        self._waiting += (wire.pack(header, len(body)), body)
        now = time.monotonic()
        if may_wait and now - self._sent < _LATEST_SECONDS:
            return
        self._sent = now
        waiting, self._waiting = b"".join(self._waiting), []
        self._connection.sendall(waiting)

    def requests(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yield the requests until Thoth closes the connection."""
        while self._came or self._receive():
            while self._came:
                header, body = self._came.popleft()
                if header.get("kind") == "second":  # came when the file was done
                    self.lent().close()
                else:
                    yield header, body

    def lent(self) -> socket.socket:
        """Return the connection that came with a message."""
        return self._lent.popleft()

    def answer(self) -> socket.socket | None:
        """Return the connection to a second process if Thoth has sent one by now."""
        if not self._came and select.select([self._connection], [], [], 0)[0]:
            self._receive()
        if self._came and self._came[0][0].get("kind") == "second":
            self._came.popleft()
            return self.lent()
        return None

    def _receive(self) -> bool:
        """Wait for data; returns whether the connection is open."""
        data, descriptors, *_ = socket.recv_fds(self._connection, _AT_ONCE, 1)
        self._lent += [socket.socket(fileno=descriptor) for descriptor in descriptors]
        self._came += self._messages.feed(data)
        return bool(data)


class SecondProcess:
    """Asks Thoth for a second reader process.

    Args:
        channel: to Thoth.
        fewest_pages: of a document that is worth it.
    """

    def __init__(self, channel: Channel, fewest_pages: int) -> None:
        self.fewest_pages = fewest_pages
        self._channel = channel
        self._asked = False

    def connection(self) -> socket.socket | None:
        """Return the connection to it as soon as there is one; each call asks again, none waits."""
        if not self._asked:
            self._asked = True
            self._channel.send({"kind": "second"})
        with suppress(IndexError):  # the message came without one
            return self._channel.answer()
        return None
