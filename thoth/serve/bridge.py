"""Requests to the engine -> events on the event loop of a server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from thoth.events import Event, Failed, is_last

if TYPE_CHECKING:
    from starlette.types import Receive

    from thoth.engine.request import Listener, Request

# How long the engine waits at most until the first event is sent. Its next step would take Python's lock between the
# parts of that, and an answer would begin 1 ms later.
_SEND_SECONDS = 0.003


class Events(AsyncIterator[Event]):
    """The events of one request, in order. Leaving `listening` stops the request.

    Args:
        seconds: that the request may take.
        whole: drop all events but the last: each one wakes the event loop, which takes time from the MLX thread.
    """

    def __init__(self, seconds: float, *, whole: bool = False) -> None:
        self._whole = whole
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()  # None: it takes too long
        # One timer: a time limit of each wait makes a task for each event.
        self._timer = self._loop.call_later(seconds, self._queue.put_nowait, None)
        self._begun = self._ended = False
        self._first_sent = threading.Event()

    def put(self, event: Event) -> None:
        """Take an event from one of the engine's threads, which waits until the first one is sent."""
        last = is_last(event)
        if self._whole and not last:
            return
        self._loop.call_soon_threadsafe(self._queue.put_nowait, event)
        if not last:
            self._first_sent.wait(_SEND_SECONDS)

    async def __anext__(self) -> Event:
        """Wait for the next event.

        Raises:
            ThothError: The request failed.
            TimeoutError: It takes too long.
        """
        if self._ended:
            raise StopAsyncIteration
        if self._begun:
            self._first_sent.set()
        if (event := await self._queue.get()) is None:
            raise TimeoutError
        self._begun, self._ended = True, is_last(event)
        if isinstance(event, Failed):
            raise event.error
        return event

    def close(self) -> None:
        """Wait for nothing any more."""
        self._timer.cancel()
        self._first_sent.set()


@asynccontextmanager
async def listening(
    start: Callable[[Listener], Request],
    seconds: float,
    *,
    whole: bool = False,
    receive: Receive | None = None,
) -> AsyncIterator[Events]:
    """Start a request, and stop it at the end of the block, whatever ends it.

    Args:
        start: starts it, with what hears of its events.
        seconds: that it may take.
        whole: see `Events`.
        receive: messages of the client that waits for it, whose body was read. Where the client goes away, the request
            is stopped, so its last event is a `Failed`.
    """
    events = Events(seconds, whole=whole)
    request = start(events.put)

    async def watch(receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        request.close()

    watching = None if receive is None else asyncio.create_task(watch(receive))
    try:
        yield events
    finally:
        if watching is not None:
            watching.cancel()
        events.close()
        request.close()
