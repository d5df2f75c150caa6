"""A thread for work that the end of the program need not wait for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from thoth.errors import Stopped


class BackgroundThread:
    """Runs one piece of work after the other, in the order of submission, on a daemon thread.

    Args:
        name: the thread's name.
    """

    def __init__(self, name: str) -> None:
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()  # of the two above
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], None]) -> None:
        """Queue a piece of work, which must not raise.

        Raises:
            Stopped: The thread is closed.
        """
        with self._lock:
            if self._closed:
                raise Stopped("stopped")
            self._queue.put(work)

    def close(self, *, wait: bool = False) -> None:
        """Let the thread end after the work that is queued already; returns at once unless it is to be waited for."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        if wait:
            self._thread.join()

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            work()
            del work  # it may hold a document
