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
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thoth.errors import DocumentError, NoTextError, Stopped, ThothError, UnknownFormatError
from thoth.ingest import wire
from thoth.ingest.document import Block, Document, Reading
from thoth.ingest.names import shown
from thoth.ingest.reader_connection import Child, ChildEnded
from thoth.ingest.reader_limits import Limits, Watch
from thoth.system import usage

__all__ = ["Limits", "Payload", "ReaderProcess", "shared"]

log = logging.getLogger(__name__)

_ERRORS: dict[str, type[ThothError]] = {
    error.__name__: error for error in (DocumentError, NoTextError, UnknownFormatError)
}

# A process that somebody else ended is no fault of the file; the first may have ended while it waited for one.
_TRIES = 4
_ENDED_FROM_OUTSIDE = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP}
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
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        # Linux ends a child when the thread that started it ends, so one thread starts them all and stays.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader-process")
        self._lock = threading.Lock()  # of the three below; never held while a file is read
        self._children: list[Child] = []
        self._idle: Child | None = None
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
        for tries_left in reversed(range(_TRIES)):
            child = self._take()
            watch = Watch(child.pid, name, self._limits, size, should_stop)
            try:
                return (yield from _exchange(child, source, name, options, watch))
            except ChildEnded as error:
                if child.end() not in _ENDED_FROM_OUTSIDE or not tries_left:
                    raise watch.crashed() from error
            finally:
                self._give_back(child)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """End the process, whatever it is doing."""
        with self._lock:
            self._closed = True
            children, self._children, self._idle = self._children, [], None
        self._starter.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.kill()

    @property
    def pid(self) -> int | None:
        """Id of the newest process, None where none runs."""
        with self._lock:
            return self._children[-1].pid if self._children else None

    def _take(self) -> Child:
        with self._lock:
            child, self._idle = self._idle, None
        if child is not None:
            return child
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
            if child.is_done and small and self._idle is None and child in self._children:
                self._idle = child
                return
            self._children = [other for other in self._children if other is not child]
        child.kill()


def _exchange(child: Child, source: Path | Payload, name: str, options: dict[str, Any], watch: Watch) -> Reading:
    """Send one request and take the answer apart, trusting none of it."""
    if isinstance(source, Payload):
        named = {"name": name, "media_type": source.media_type, "charset": source.charset}
        child.send({"options": options} | named, source.data, watch.check)
    else:
        path = os.fsencode(os.path.abspath(source)).hex()  # a name may be no UTF-8
        child.send({"options": options, "path": path}, b"", watch.check)
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
