"""The other process that reads files: started once, used for every file, ended when one asks for too much.

Parsers meet whatever strangers wrote. Here a file that hangs one, crashes it or takes gigabytes costs that file alone:
the process is ended, the file is refused with the reason, and the next file gets a new process. `reader_child.py` is
the other side; `wire.py` has the messages between them.
"""

from __future__ import annotations

import atexit
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thoth.errors import DocumentError, NoTextError, Stopped, ThothError, UnknownFormatError
from thoth.ingest import wire
from thoth.ingest.document import Block, Document, Reading
from thoth.ingest.names import shown
from thoth.system import usage

log = logging.getLogger(__name__)

_ERRORS: dict[str, type[ThothError]] = {
    error.__name__: error for error in (DocumentError, NoTextError, UnknownFormatError)
}

_POLL_SECONDS = 0.05  # how soon a stop is noticed
_WATCH_SECONDS = 0.2  # how often the process is looked at
_END_SECONDS = 2.0  # for a process whose connection is closed
# A process that somebody else ended is no fault of the file; the first may have ended while it waited for one.
_TRIES = 4
_ENDED_FROM_OUTSIDE = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP}
_NEARLY = 0.6  # of the memory; a process that crashes with more had too little of it
_MAX_LETTERS = 64 << 20
_MAX_BLOCKS = 4_000_000
_MAX_SENTENCE = 2000  # letters of an error or a warning

# The child gets the paths that this process imports from, so that both run the same code.
_BOOT = (
    "import sys; life, parent, memory = map(int, sys.argv[1:4]); sys.path[:] = sys.argv[4:];"
    " from thoth.ingest.reader_child import main; main(life, parent, memory)"
)


@dataclass(frozen=True)
class Limits:
    """What reading one file may take.

    Attributes:
        memory_bytes: resident memory of the reader process.
        cpu_seconds: processor time for a small file.
        cpu_seconds_per_mb: processor time for each megabyte of the file besides.
        stall_seconds: time without a page and without using the processor.
    """

    memory_bytes: int = 1 << 30
    cpu_seconds: float = 15.0
    cpu_seconds_per_mb: float = 2.0
    stall_seconds: float = 60.0

    def cpu_for(self, size: int) -> float:
        """Return the processor time that a file of `size` bytes may take, in seconds."""
        return self.cpu_seconds + self.cpu_seconds_per_mb * size / (1 << 20)


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
        self._children: list[_Child] = []
        self._idle: _Child | None = None
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
            watch = _Watch(child, name, self._limits, size, should_stop)
            try:
                return (yield from _exchange(child, source, name, options, watch))
            except _ChildEnded as error:
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

    def _take(self) -> _Child:
        with self._lock:
            child, self._idle = self._idle, None
        if child is not None:
            return child
        try:
            return self._starter.submit(self._new).result()
        except RuntimeError as error:  # the program is ending
            raise Stopped("stopped") from error

    def _new(self) -> _Child:
        child = _Child(self._limits.memory_bytes)
        with self._lock:
            if not self._closed:
                self._children.append(child)
                return child
        child.kill()
        raise Stopped("stopped")

    def _give_back(self, child: _Child) -> None:
        """Keep a child for the next file, if it is in order; a large file leaves a large one behind."""
        small = usage.of(child.pid).resident_bytes <= self._limits.memory_bytes // 4
        with self._lock:
            if child.is_done and small and self._idle is None and child in self._children:
                self._idle = child
                return
            self._children = [other for other in self._children if other is not child]
        child.kill()


class _ChildEnded(Exception):
    """The process ended in the middle of a file, or talks nonsense."""


class _Child:
    """One reader process, and the connection to it.

    Args:
        memory_bytes: the most memory it may use.
    """

    def __init__(self, memory_bytes: int) -> None:
        ours, theirs = socket.socketpair()
        life, self._life = os.pipe()
        try:
            # `-I`: neither the folder Thoth is started in nor the environment adds code to what reads files.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOT, str(life), str(os.getpid()), str(memory_bytes), *sys.path],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(life,),
                start_new_session=True,  # Ctrl-C in the terminal is for this process alone
            )
        except OSError as error:
            ours.close()
            os.close(self._life)
            raise DocumentError(f"cannot start the process that reads files ({error.strerror}): try again") from error
        finally:
            theirs.close()
            os.close(life)
        ours.setblocking(False)
        self._socket = ours
        self._messages = wire.Messages()
        self._selector = selectors.DefaultSelector()
        self._selector.register(ours, selectors.EVENT_READ)
        self.is_done = True  # with the last file

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def send(self, header: dict[str, Any], body: bytes, check: Callable[[], None]) -> None:
        """Send a request; `check` is called while the child does not take it."""
        self.is_done = False
        for part in (memoryview(wire.pack(header, len(body))), memoryview(body)):
            while part:
                try:
                    part = part[self._socket.send(part) :]
                except BlockingIOError:
                    self._selector.modify(self._socket, selectors.EVENT_WRITE)
                    self._selector.select(_POLL_SECONDS)
                    self._selector.modify(self._socket, selectors.EVENT_READ)
                    check()
                except OSError as error:
                    raise _ChildEnded from error

    def messages(self, check: Callable[[], None]) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yield what the child says; `check` is called in between, at least 20 times a second."""
        while True:
            check()
            if not self._selector.select(_POLL_SECONDS):
                continue
            try:
                data = self._socket.recv(1 << 18)
            except BlockingIOError:
                continue
            except OSError as error:
                raise _ChildEnded from error
            if not data:
                raise _ChildEnded
            try:
                yield from self._messages.feed(data)
            except wire.WireError as error:
                raise _ChildEnded from error

    def end(self) -> int:
        """End the process if it has not ended; returns how it did, as `Popen.returncode` says it."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        code = self._process.poll()
        self.kill()
        return 0 if code is None else code

    def kill(self) -> None:
        """End the process, and whatever it started."""
        if self._process.poll() is None:  # else its number may be another's by now
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
        if self._socket.fileno() < 0:
            return
        self._selector.close()
        self._socket.close()
        with suppress(OSError):
            os.close(self._life)


class _Watch:
    """Looks after a child while it reads one file; raises as soon as it takes too much."""

    def __init__(self, child: _Child, name: str, limits: Limits, size: int, should_stop: Callable[[], bool]) -> None:
        self._child, self._name, self._limits, self._should_stop = child, name, limits, should_stop
        self._begun = usage.of(child.pid).cpu_seconds
        self._most_cpu = limits.cpu_for(size)
        self._last_cpu = self._begun
        self._looked = self._alive = time.monotonic()
        self._peak = 0

    def progress(self) -> None:
        """Note that a page is done."""
        self._alive = time.monotonic()

    def check(self) -> None:
        """Raise where the file must be given up."""
        if self._should_stop():
            raise Stopped("stopped")
        now = time.monotonic()
        if now - self._looked < _WATCH_SECONDS:
            return
        self._looked = now
        used = usage.of(self._child.pid)
        if used.cpu_seconds - self._last_cpu > _WATCH_SECONDS / 20:
            self._last_cpu, self._alive = used.cpu_seconds, now
        self._peak = max(self._peak, used.resident_bytes)
        if used.resident_bytes > self._limits.memory_bytes:
            raise self.memory()
        if used.cpu_seconds - self._begun > self._most_cpu:
            raise DocumentError(
                f"{self._name} takes too long to read (more than {self._most_cpu:.0f} s of processor time): "
                "export it as plain text, or split it"
            )
        if now - self._alive > self._limits.stall_seconds:
            raise DocumentError(
                f"{self._name} did not come any further for {self._limits.stall_seconds:.0f} s: copy it to a local "
                "disk and try again"
            )

    def crashed(self) -> DocumentError:
        """Return the error for a file during which the process ended."""
        if self._peak > _NEARLY * self._limits.memory_bytes:
            return self.memory()
        return DocumentError(f"{self._name} made the reader crash: it is probably damaged; export or download it again")

    def memory(self) -> DocumentError:
        """Return the error for a file that takes too much memory."""
        most = self._limits.memory_bytes >> 20
        return DocumentError(
            f"{self._name} takes more than {most:,} MB of memory to read: split it, or export it as text"
        )


def _exchange(child: _Child, source: Path | Payload, name: str, options: dict[str, Any], watch: _Watch) -> Reading:
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
                    raise _ChildEnded from error
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
                raise _ChildEnded
    raise _ChildEnded


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
