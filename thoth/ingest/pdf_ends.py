"""A long PDF is read from both ends: by this process from its first page on, by a second one from its last.

Where they meet, the rest is there. Nothing is shared but the file's bytes and the pages that come back, so the second
process may end at any time: this one then reads all pages itself.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol

from thoth.ingest import wire
from thoth.ingest.pdf_groups import Group
from thoth.ingest.pdf_text import Pages, PageText
from thoth.ingest.pdf_unread import MARKS

_MOST_BYTES = 64 << 20  # of a file; two processes hold it, and the pictures of a larger one
_AT_ONCE = 1 << 16


class Second(Protocol):
    """How a second process is had.

    Attributes:
        fewest_pages: of a document that is worth it.
    """

    fewest_pages: int

    def connection(self) -> socket.socket | None:
        """Return the connection to it as soon as there is one; each call asks again, without waiting."""


class LastPages:
    """The last pages of a PDF, as a second process reads them.

    Args:
        second: where that process comes from; None: there is none.
        data: the file.
        recognize: whether pages without text are read by OCR.
        total: pages of the file.
    """

    def __init__(self, second: Second | None, data: bytes, recognize: bool, total: int) -> None:
        is_worth_it = second is not None and total >= second.fewest_pages and len(data) <= _MOST_BYTES
        self._second = second if is_worth_it else None
        self._data, self._recognize = data, recognize
        self._connection: socket.socket | None = None
        self._messages = wire.Messages(_MOST_BYTES)
        self._pages: dict[int, PageText] = {}

    def take(self, number: int) -> PageText | None:
        """Return a page that the second process has read, or is reading; None for one that it has not come to.

        Args:
            number: of the page, from 0.
        """
        if self._second is not None and self._connection is None:
            self._connect(self._second)
        self._receive(socket.MSG_DONTWAIT)
        while number + 1 in self._pages and number not in self._pages and self._connection is not None:
            self._receive(0)
        if number in self._pages:  # all after it are there too
            self.close()
        return self._pages.pop(number, None)

    def close(self) -> None:
        """Let the second process go."""
        self._second = None
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)  # a thread may be sending
            self._connection.close()
            self._connection = None

    def _connect(self, second: Second) -> None:
        if (connection := second.connection()) is None:
            return
        self._second, self._connection = None, connection

        def send() -> None:
            with suppress(OSError):
                connection.sendall(wire.pack({"recognize": self._recognize}, len(self._data)) + self._data)

        threading.Thread(target=send, daemon=True).start()  # the process may only be starting

    def _receive(self, flags: int) -> None:
        if self._connection is None:
            return
        try:
            while data := self._connection.recv(_AT_ONCE, flags):
                for header, _ in self._messages.feed(data):
                    self._pages[header["number"]] = _unpacked(header)
                flags = socket.MSG_DONTWAIT
            self.close()
        except BlockingIOError:
            return
        except (OSError, wire.WireError, KeyError, TypeError, ValueError):
            self.close()


def serve(connection: socket.socket) -> None:
    """Read the pages of one file from the last to the first, until the other process has enough.

    Args:
        connection: to that process.
    """
    messages = wire.Messages(_MOST_BYTES)
    while data := connection.recv(_AT_ONCE):
        for header, body in messages.feed(data):
            for message in _backwards(body, bool(header.get("recognize"))):
                if select.select([connection], [], [], 0)[0]:  # it was closed
                    return
                connection.sendall(message)
            return


def _backwards(data: bytes, recognize: bool) -> Iterator[bytes]:
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    try:
        pages = Pages(document, recognize)
        for number in reversed(range(len(pages))):
            page = pages.read(number, None)
            yield wire.pack({"number": number, "groups": page.groups, "marks": page.marks})
    finally:
        document.close()


def _unpacked(header: dict[str, Any]) -> PageText:
    groups = [Group(kind, text, apart) for kind, text, apart in header["groups"]]
    marks = tuple(header["marks"])
    if not all(group.kind in wire.KINDS and type(group.text) is str for group in groups):
        raise wire.WireError("a group has the wrong fields")
    if not all(mark in MARKS for mark in marks):
        raise wire.WireError("a page has a mark that does not exist")
    return PageText(groups, marks)
