"""How long an event loop makes its tasks wait, and what the process was doing then."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

LIMIT_SECONDS = 0.1
_BEAT_SECONDS = 0.005
_WATCH_SECONDS = 0.02
_DEPTH = 6  # functions that are named
_WAITING = {"selectors.py", "threading.py", "queue.py", "thread.py", "stalls.py"}


@dataclass(frozen=True)
class Gap:
    """A wait of the loop.

    Attributes:
        wall: seconds beyond the 5 ms that were asked for.
        process: seconds the process computed in it, on any thread, but no more than `wall`. On a machine that has
            nothing else to do the wait would be no longer than that.
        loop: seconds the loop's own thread computed in it; no shorter than that.
    """

    wall: float
    process: float
    loop: float


class StallMeter:
    """A task that asks for its turn every 5 ms, and a thread that looks what goes on when it gets none.

    An async context manager, entered on the loop to be measured.

    Attributes:
        gaps: all waits.
        culprits: where the threads were in waits beyond the limit, and in how many.
    """

    def __init__(self) -> None:
        self.gaps: list[Gap] = []
        self.culprits: Counter[str] = Counter()
        self._beat_at = 0.0
        self._done = threading.Event()

    async def __aenter__(self) -> Self:
        self._beat_at = time.perf_counter()
        self._task = asyncio.create_task(self._beat())
        self._watcher = threading.Thread(target=self._watch, args=(threading.get_ident(),), daemon=True)
        self._watcher.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        self._done.set()
        await asyncio.to_thread(self._watcher.join)

    async def _beat(self) -> None:
        process, loop = time.process_time(), time.thread_time()
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            now, process_now, loop_now = time.perf_counter(), time.process_time(), time.thread_time()
            wall = max(0.0, now - self._beat_at - _BEAT_SECONDS)
            self.gaps.append(Gap(wall, min(wall, process_now - process), min(wall, loop_now - loop)))
            self._beat_at, process, loop = now, process_now, loop_now

    def _watch(self, loop_thread: int) -> None:
        seen = 0.0
        while not self._done.wait(_WATCH_SECONDS):
            beat_at = self._beat_at
            if beat_at != seen and time.perf_counter() - beat_at > LIMIT_SECONDS + _BEAT_SECONDS:
                seen = beat_at
                frames = sys._current_frames()
                # A loop that waits for events then really waits for another thread that holds the interpreter.
                busy = [_place(frames.pop(loop_thread)), *map(_place, frames.values())]
                self.culprits[" | ".join(filter(None, busy)) or "waiting"] += 1


def _place(frame: FrameType) -> str:
    """Return the innermost functions of a thread, the innermost first; empty where it waits."""
    stack = traceback.extract_stack(frame)
    if Path(stack[-1].filename).name in _WAITING:
        return ""
    return " < ".join(f"{at.name} ({Path(at.filename).name}:{at.lineno})" for at in stack[: -1 - _DEPTH : -1])
