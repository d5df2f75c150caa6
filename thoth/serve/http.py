"""What routes that answer questions share: streams, and clients that go away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import StreamingResponse

from thoth.errors import Stopped, ThothError
from thoth.events import Answer
from thoth.serve import answers
from thoth.serve.bridge import Events
from thoth.serve.faults import Fault, fault

T = TypeVar("T")


async def finished(request: Request, asking: AbstractAsyncContextManager[Events]) -> Answer:
    """Wait for an answer, and stop it where the client goes away.

    Raises:
        ThothError, Fault: The question failed.
        Stopped: The client went away.
    """

    async def answer() -> Answer:
        async with asking as events:
            async for event in events:
                if isinstance(event, Answer):
                    return event
        raise Stopped("stopped")

    return await _unless_gone(request, answer())


async def stream(request: Request, pieces: AsyncIterator[str]) -> StreamingResponse:
    """Return a response of server-sent events.

    The first piece is waited for, so that a question that is refused gets a status; one that fails later gets an event.

    Raises:
        ThothError, Fault: The question was refused.
        Stopped: The client went away before the first piece.
    """

    async def begin() -> str:
        return await anext(pieces)

    first = await _unless_gone(request, begin())

    async def rest() -> AsyncIterator[str]:
        try:
            yield first
            async for piece in pieces:
                yield piece
        except (ThothError, Fault) as error:
            yield answers.event(fault(error).body())
        finally:
            await pieces.aclose()  # type: ignore[attr-defined]

    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(rest(), media_type="text/event-stream", headers=headers)


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Wait for some work, and cancel it where the client goes away; its request must have been read."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.create_task(work), asyncio.create_task(gone())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return await working
        raise Stopped("the client went away")
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
