"""The other process that reads files: started once, used for every file, ended when one asks for too much.

Parsers meet whatever strangers wrote. Here a file that hangs one, crashes it or takes gigabytes costs that file alone:
the process is ended, the file is refused with the reason, and the next file gets a new process. `reader_limits.py` says
what is too much, `reader_connection.py` has the process, `wire.py` the messages; `reader_child.py` is the other side.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from thoth.errors import DocumentError, NoTextError, Stopped, ThothError, UnknownFormatError
from thoth.ingest import wire
from thoth.ingest.document import Block, Document, Reading
from thoth.ingest.names import shown
from thoth.ingest.reader_connection import Child, ChildEnded
from thoth.ingest.reader_limits import Limits, Watch
from thoth.system import machine, usage

__all__ = ["Limits", "Payload", "ReaderProcess", "shared"]

log = logging.getLogger(__name__)

_ERRORS: dict[str, type[ThothError]] = {
    error.__name__: error for error in (DocumentError, NoTextError, UnknownFormatError)
}

# A process that somebody else ended is no fault of the file; the first may have ended while it waited for one.
_TRIES = 4
_ENDED_FROM_OUTSIDE = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP}
_MOST_IDLE = 2
_SECOND_FROM = 100  # pages: fewer are read in the time that a process takes to start
_MAX_LETTERS = 64 << 20
_MAX_BLOCKS = 4_000_000
_MAX_SENTENCE = 2000  # letters of an error or a warning


@dataclass(frozen=True)
class Payload:
    """A document that is in memory: from a server or from standard input.

    Attributes:
        data: the bytes.
        name: of the document, safe to show.
        media_type: what a server says it is.
        charset: what a server says its encoding is.
    """

    data: bytes
    name: str
    media_type: str | None = None
    charset: str | None = None


class ReaderProcess:
    """Reads documents in a process of its own; any thread may call it, and two at once get a process each.

    Args:
        limits: what one file may take.
        second_from: pages of a PDF from which on two processes read it, 0: never; None: a number that makes it faster.
    """

    def __init__(self, limits: Limits | None = None, second_from: int | None = None) -> None:
        self._limits = limits or Limits()
        usual = _SECOND_FROM if machine.cores() > 1 else 0
        self._second_from = usual if second_from is None else second_from
        # Linux ends a child when the thread that started it ends, so one thread starts them all and stays.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader-process")
        self._lock = threading.Lock()  # of the three below; never held while a file is read
        self._children: list[Child] = []
        self._idle: list[Child] = []
        self._closed = False

    def start(self) -> None:
        """Start the process in the background, so that the first file does not wait for it."""
        with suppress(RuntimeError, Stopped):  # closed
            self._starter.submit(lambda: self._give_back(self._new()) if not self._children else None)

    def read(self, source: Path | Payload, options: dict[str, Any], should_stop: Callable[[], bool]) -> Reading:
        """Read a document.

        Args:
            source: a path, or what came from elsewhere.
            options: passed to `formats.read`.
            should_stop: asked 20 times a second.

        Yields:
            Pages that are read, and pages of the document; only for formats with pages.

        Returns:
            The document.

        Raises:
            DocumentError: It cannot be read, or reading it takes too much.
            NoTextError: It holds no text.
            Stopped: `should_stop` said so.
        """
        name = source.name if isinstance(source, Payload) else shown(source.name)
        size = len(source.data) if isinstance(source, Payload) else _size(source)
        request = {"options": options, "second_from": self._second_from}
        for tries_left in reversed(range(_TRIES)):
            child = self._take()
            watch = Watch(child.pid, name, self._limits, size, should_stop)
            second: list[Child] = []
            lend = partial(self._lend, child, watch, second)
            try:
                return (yield from _exchange(child, source, name, request, watch, lend))
            except ChildEnded as error:
                if child.end() not in _ENDED_FROM_OUTSIDE or not tries_left:
                    raise watch.crashed() from error
            finally:
                for other in second:  # it is done as soon as the first is: that closed the connection
                    other.is_done = child.is_done
                    self._give_back(other)
                self._give_back(child)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """End the process, whatever it is doing."""
        with self._lock:
            self._closed = True
            children, self._children, self._idle = self._children, [], []
        self._starter.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.kill()

    @property
    def pid(self) -> int | None:
        """Id of the newest process, None where none runs."""
        return self.pids[-1] if self.pids else None

    @property
    def pids(self) -> list[int]:
        """Ids of all processes, the newest last."""
        with self._lock:
            return [child.pid for child in self._children]

    def _lend(self, child: Child, watch: Watch, second: list[Child]) -> None:
        """Connect a child that reads a long file with a second one, which is put into the list."""
        if second or not self._second_from:
            return
        try:
            second.append(other := self._take())
        except DocumentError:  # no more processes: the first reads all pages
            return
        other.is_done = False
        watch.share(other.pid, partial(self._give_back, other))
        ours, theirs = socket.socketpair()
        with ours, theirs:
            child.lend(ours, {"kind": "second"})
            other.lend(theirs, {"kind": "last pages"})

    def _take(self) -> Child:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        try:
            return self._starter.submit(self._new).result()
        except RuntimeError as error:  # the program is ending
            raise Stopped("stopped") from error

    def _new(self) -> Child:
        child = Child(self._limits.memory_bytes)
        with self._lock:
            if not self._closed:
                self._children.append(child)
                return child
        child.kill()
        raise Stopped("stopped")

    def _give_back(self, child: Child) -> None:
        """Keep a child for the next file, if it is in order; a large file leaves a large one behind."""
        small = usage.of(child.pid).resident_bytes <= self._limits.memory_bytes // 4
        with self._lock:
            if child.is_done and child.is_alive and small and len(self._idle) < _MOST_IDLE and child in self._children:
                self._idle.append(child)
                return
            self._children = [other for other in self._children if other is not child]
        child.kill()


def _exchange(
    child: Child,
    source: Path | Payload,
    name: str,
    request: dict[str, Any],
    watch: Watch,
    lend: Callable[[], None],
) -> Reading:
    """Send one request and take the answer apart, trusting none of it."""
    if isinstance(source, Payload):
        named = {"name": name, "media_type": source.media_type, "charset": source.charset}
        child.send(request | named, source.data, watch.check)
    else:
        path = os.fsencode(os.path.abspath(source)).hex()  # a name may be no UTF-8
        child.send(request | {"path": path}, b"", watch.check)
    texts: list[str] = []
    blocks: list[Block] = []
    letters = 0
    for header, body in child.messages(watch.check):
        watch.progress()
        match header.get("kind"):
            case "piece":
                texts.append(body.decode(errors="replace"))
                letters += len(texts[-1])
                try:
                    blocks += wire.unpack_blocks(header, blocks[-1].end if blocks else 0, letters)
                except wire.WireError as error:
                    raise ChildEnded from error
                if letters > _MAX_LETTERS or len(blocks) > _MAX_BLOCKS:
                    raise watch.memory()
                page, pages = header.get("page"), header.get("pages")
                if type(page) is int and type(pages) is int and 0 < page <= pages:
                    yield page, pages
            case "second":
                lend()
            case "warning":
                log.warning("%s", _sentence(header))
            case "done":
                child.is_done = True
                pages = header.get("pages")
                count = pages if type(pages) is int and pages >= 0 else None
                return Document(name, "".join(texts), count, tuple(blocks))
            case "error":
                child.is_done = True
                raise _ERRORS.get(str(header.get("error")), DocumentError)(_sentence(header))
            case "memory":
                raise watch.memory()
            case "unforeseen":
                child.is_done = True
                log.debug("reading %s: %s", name, _sentence(header))
                raise DocumentError(
                    f"{name} cannot be read ({_sentence(header)}): export it again, or report this file"
                )
            case "ready":
                continue
            case _:
                raise ChildEnded
    raise ChildEnded


def _sentence(header: dict[str, Any]) -> str:
    return shown(" ".join(str(header.get("text", "")).split())[:_MAX_SENTENCE])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


_shared: ReaderProcess | None = None
_sharing = threading.Lock()


def shared() -> ReaderProcess:
    """Return the one reader of this process; it ends with it."""
    global _shared
    with _sharing:
        if _shared is None:
            _shared = ReaderProcess()
            atexit.register(_shared.close)
        return _shared
