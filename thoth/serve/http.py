"""What routes that answer questions share: waiting for an answer, and streaming one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from thoth.errors import Stopped, ThothError
from thoth.events import Answer
from thoth.serve import answers
from thoth.serve.bridge import Events
from thoth.serve.faults import Fault, fault


async def finished(asking: AbstractAsyncContextManager[Events]) -> Answer:
    """Wait for an answer.

    Raises:
        ThothError, Fault: The question failed.
        Stopped: The client went away.
    """
    async with asking as events:
        async for event in events:
            if isinstance(event, Answer):
                return event
    raise Stopped("stopped")


async def stream(pieces: AsyncIterator[str]) -> StreamingResponse:
    """Return a response of server-sent events.

    The first piece is waited for, so that a question that is refused gets a status; one that fails later gets an event.

    Args:
        pieces: the events of a question that stops where its client goes away.

    Raises:
        ThothError, Fault: The question was refused.
        Stopped: The client went away before the first piece.
    """
    first = await anext(pieces)

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
    return _Stream(rest(), media_type="text/event-stream", headers=headers)


class _Stream(StreamingResponse):
    """Sends, and leaves it to the question to notice that the client goes away: only one may wait for its messages."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.stream_response(send)
