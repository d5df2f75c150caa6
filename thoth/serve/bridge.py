"""Requests to the engine -> events on the event loop of a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from thoth.events import Event, Failed, is_last

if TYPE_CHECKING:
    from thoth.engine.request import Listener, Request


class Events(AsyncIterator[Event]):
    """The events of one request, in order. Leaving `listening` stops the request.

    Args:
        seconds: that the request may take.
        whole: drop all events but the last: each one wakes the event loop, which takes time from the MLX thread.
    """

    def __init__(self, seconds: float, *, whole: bool = False) -> None:
        self._whole = whole
        self._loop = asyncio.get_running_loop()
        self._ends = self._loop.time() + seconds
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        self._ended = False

    def put(self, event: Event) -> None:
        """Take an event from one of the engine's threads."""
        if self._whole and not is_last(event):
            return
        self._loop.call_soon_threadsafe(self._queue.put_nowait, event)

    async def __anext__(self) -> Event:
        """Wait for the next event.

        Raises:
            ThothError: The request failed.
            TimeoutError: It takes too long.
        """
        if self._ended:
            raise StopAsyncIteration
        # Not `asyncio.timeout`: a response is begun in one task and streamed in another.
        event = await asyncio.wait_for(self._queue.get(), self._ends - self._loop.time())
        self._ended = is_last(event)
        if isinstance(event, Failed):
            raise event.error
        return event


@asynccontextmanager
async def listening(
    start: Callable[[Listener], Request], seconds: float, *, whole: bool = False
) -> AsyncIterator[Events]:
    """Start a request, and stop it at the end of the block, whatever ends it: a client that goes away, too."""
    events = Events(seconds, whole=whole)
    request = start(events.put)
    try:
        yield events
    finally:
        request.close()
