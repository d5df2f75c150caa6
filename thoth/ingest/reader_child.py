"""The process that parses: reads one file after the other and sends back their texts, page by page.

It runs with a bound on memory, cannot write files, and ends with its parent. `reader_process.py` is the other side;
the messages are those of `wire.py`.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from thoth.errors import DocumentError, NoTextError, UnknownFormatError
from thoth.ingest import files, formats, wire
from thoth.ingest.document import Document, PageRead
from thoth.ingest.names import shown
from thoth.ingest.reader_channel import Channel, SecondProcess

_ERRORS = {error.__name__: error for error in (DocumentError, NoTextError, UnknownFormatError)}
_MAX_REQUEST_BYTES = formats.MAX_FILE_BYTES
_PR_SET_PDEATHSIG = 1
_SHARE_OF_SECOND = 4  # a second process gets a fourth of the memory: both together stay near the bound


def main(life: int, parent: int, memory_bytes: int) -> None:
    """Serve requests until the parent closes the connection.

    Args:
        life: a pipe whose other end the parent holds; it ends with the parent.
        parent: the parent's process id.
        memory_bytes: the most memory to use.
    """
    channel = Channel(socket.socket(fileno=os.dup(0)), _MAX_REQUEST_BYTES)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what a library prints must not get into the messages
        os.dup2(nothing, stream)
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C ends
    _end_with_parent(life, parent)
    _limit(memory_bytes)
    logging.getLogger("thoth").addHandler(_Warnings(channel))
    channel.send({"kind": "ready"})
    for request, body in channel.requests():
        if request.get("kind") == "last pages":
            with channel.lent() as connection, _with_less_memory(memory_bytes - memory_bytes // _SHARE_OF_SECOND):
                _read_for_another(connection)
        else:
            _serve(channel, request, body)


def _serve(channel: Channel, request: dict[str, Any], body: bytes) -> None:
    try:
        _read(channel, request, body)
    except tuple(_ERRORS.values()) as error:
        channel.send({"kind": "error", "error": type(error).__name__, "text": str(error)})
    except MemoryError:
        channel.send({"kind": "memory"})
    # A reader met something that nobody foresaw: it costs this file, not the ones after it.
    except Exception as error:
        if isinstance(error, OSError) and isinstance(error, ConnectionError):
            raise
        channel.send({"kind": "unforeseen", "text": f"{type(error).__name__}: {error}"[:500]})


def _read_for_another(connection: socket.socket) -> None:
    """Read the last pages of a file for the process that has the first; what fails here, it does itself."""
    from thoth.ingest import pdf_ends

    with suppress(Exception):
        pdf_ends.serve(connection)


def _read(channel: Channel, request: dict[str, Any], body: bytes) -> None:
    at = 0

    def on_page(page: PageRead) -> None:
        nonlocal at
        text = ("\n\n" if page.number > 1 else "") + page.text
        _send_piece(channel, text, page.blocks, {"page": page.number, "pages": page.total})
        at += len(text)

    options = dict(request.get("options", {}))
    if fewest := request.get("second_from"):
        options["second"] = SecondProcess(channel, fewest)
    if (path := request.get("path")) is not None:
        file = Path(os.fsdecode(bytes.fromhex(path)))
        document = formats.read(files.read_file(file), shown(file.name), on_page=on_page, **options)
    else:
        named = {key: request[key] for key in ("name", "media_type", "charset")}
        document = formats.read(body, **named, on_page=on_page, **options)
    if not at:
        _send_whole(channel, document)
    channel.send({"kind": "done", "name": document.name, "pages": document.pages})


def _send_whole(channel: Channel, document: Document) -> None:
    """Send a document that did not come page by page; the text first, for blocks must lie in it."""
    for start in range(0, len(document.text), wire.PIECE_LETTERS):
        _send_piece(channel, document.text[start : start + wire.PIECE_LETTERS], ())
    for start in range(0, len(document.blocks), wire.PIECE_BLOCKS):
        _send_piece(channel, "", document.blocks[start : start + wire.PIECE_BLOCKS])


def _send_piece(channel: Channel, text: str, blocks: Any, progress: dict[str, int] | None = None) -> None:
    for start in range(0, max(len(text), 1), wire.PIECE_LETTERS):
        is_last = start + wire.PIECE_LETTERS >= len(text)
        header = {"kind": "piece"} | (wire.pack_blocks(blocks) | (progress or {}) if is_last else {})
        channel.send(header, text[start : start + wire.PIECE_LETTERS].encode(), may_wait=progress is not None)


class _Warnings(logging.Handler):
    def __init__(self, channel: Channel) -> None:
        super().__init__(logging.WARNING)
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        self._channel.send({"kind": "warning", "logger": record.name, "text": record.getMessage()})


def _end_with_parent(life: int, parent: int) -> None:
    """End as soon as the parent does, even one that was killed and could say nothing."""

    def wait() -> None:
        os.read(life, 1)
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
    if sys.platform == "linux":
        import ctypes

        # The kernel's own way works even while a library holds the interpreter's lock.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


@contextmanager
def _with_less_memory(less: int) -> Iterator[None]:
    """Lower the bound on memory for a while."""
    most, hard = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:  # no bound of the system's: the parent looks
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (most - less, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # reading a file never needs to write one
    if sys.platform == "linux":
        pages, resident = map(int, Path("/proc/self/statm").read_text().split()[:2])
        # Addresses that are reserved and not used do not count.
        most = memory_bytes + (pages - resident) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
