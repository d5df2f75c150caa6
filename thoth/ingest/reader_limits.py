"""What reading one file may take, and the watch over a process that reads one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from thoth.errors import DocumentError, Stopped
from thoth.system import usage

_WATCH_SECONDS = 0.2  # how often the process is looked at
_NEARLY = 0.6  # of the memory; a process that crashes with more had too little of it


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


class Watch:
    """Looks after a process while it reads one file; raises as soon as it takes too much.

    Args:
        pid: id of the process.
        name: of the document, safe to show.
        limits: what the file may take.
        size: of the file, in bytes.
        should_stop: tells whether the user gave up.
    """

    def __init__(self, pid: int, name: str, limits: Limits, size: int, should_stop: Callable[[], bool]) -> None:
        self._name, self._limits, self._should_stop = name, limits, should_stop
        self._used = [_Used(pid)]
        self._end_second: Callable[[], None] | None = None
        self._most_cpu = limits.cpu_for(size)
        self._last_cpu = 0.0
        self._looked = self._alive = time.monotonic()
        self._peak = 0

    def share(self, pid: int, end: Callable[[], None]) -> None:
        """Watch a second process as well; what both take is what the file takes.

        Args:
            pid: id of the process.
            end: ends it, for the first can do without it: called where both take too much memory.
        """
        self._used.append(_Used(pid))
        self._end_second = end

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
        resident = sum(used.look() for used in self._used)
        cpu = sum(used.cpu_seconds for used in self._used)
        if cpu - self._last_cpu > _WATCH_SECONDS / 20:
            self._last_cpu, self._alive = cpu, now
        if resident > self._limits.memory_bytes and self._end_second is not None:
            self._end_second()
            self._end_second = None
            return
        self._peak = max(self._peak, resident)
        if resident > self._limits.memory_bytes:
            raise self.memory()
        if cpu > self._most_cpu:
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


class _Used:
    """What one process has used for a file."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._begun = usage.of(pid).cpu_seconds
        self.cpu_seconds = 0.0

    def look(self) -> int:
        """Count its processor time; returns its resident memory. One that has ended keeps the time it took."""
        used = usage.of(self._pid)
        self.cpu_seconds = max(self.cpu_seconds, used.cpu_seconds - self._begun)
        return used.resident_bytes
