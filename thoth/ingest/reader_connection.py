"""One process that reads files, and the connection to it: requests go out, messages come back, and it can be ended."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from thoth.errors import DocumentError
from thoth.ingest import wire

_POLL_SECONDS = 0.05  # how soon a stop is noticed
_END_SECONDS = 2.0  # for a process whose connection is closed

# The child gets the paths that this process imports from, so that both run the same code.
_BOOT = (
    "import sys; life, parent, memory = map(int, sys.argv[1:4]); sys.path[:] = sys.argv[4:];"
    " from thoth.ingest.reader_child import main; main(life, parent, memory)"
)


class ChildEnded(Exception):
    """The process ended in the middle of a file, or talks nonsense."""


class Child:
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

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

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
                    raise ChildEnded from error

    def lend(self, connection: socket.socket, header: dict[str, Any]) -> None:
        """Send a message and a connection to another process; if it cannot be sent, the child reads alone."""
        with suppress(OSError):
            socket.send_fds(self._socket, [wire.pack(header)], [connection.fileno()])

    def messages(self, check: Callable[[], None]) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yield what the child says; `check` is called in between, at least 20 times a second."""
        while True:
            check()
            if not self._selector.select(_POLL_SECONDS):
                continue
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChildEnded from error
            if not data:
                raise ChildEnded
            try:
                yield from self._messages.feed(data)
            except wire.WireError as error:
                raise ChildEnded from error

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
