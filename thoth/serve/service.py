"""What all routes share: the engine, the library, limits, and questions in flight."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thoth.engine.sampling import Sampling
from thoth.ingest import Options
from thoth.serve import bridge
from thoth.serve.bridge import Events
from thoth.serve.faults import Fault
from thoth.serve.metrics import Metrics
from thoth.settings import Settings

if TYPE_CHECKING:
    from starlette.types import Receive

    from thoth.actions.ask import Way
    from thoth.engine.engine import Engine
    from thoth.engine.request import Listener, Request
    from thoth.library.library import Library
    from thoth.serve.shapes import Drawing


@dataclass(frozen=True)
class Limits:
    """What one client may take from the others.

    Attributes:
        questions: in flight or waiting; more are refused.
        seconds: that a question may take.
        body_bytes: length of a request, other than an upload.
        upload_bytes: length of an uploaded file.
        body_seconds: time that a request may take to arrive.
        header_bytes: length of a request's headers.
        paths: folders from which documents may be absorbed by their path.
        addresses: whether web pages may be absorbed by their address.
    """

    questions: int = 64
    seconds: float = 600.0
    body_bytes: int = 4 << 20
    upload_bytes: int = 64 << 20
    body_seconds: float = 60.0
    header_bytes: int = 64 << 10
    paths: tuple[Path, ...] = ()
    addresses: bool = False


@dataclass
class Service:
    """A loaded pair and a library, as the routes use them.

    Attributes:
        engine: with a pair loaded.
        library: of the engine.
        pair: name of the pair.
        settings: in force where a request says nothing.
        limits: see `Limits`.
        metrics: what happened.
        reads_system: whether the base reads system messages.
        in_flight: questions in flight or waiting.
    """

    engine: Engine
    library: Library
    pair: str
    settings: Settings
    limits: Limits = field(default_factory=Limits)
    metrics: Metrics = field(default_factory=Metrics)
    reads_system: bool = True
    in_flight: int = 0

    @property
    def reading(self) -> Options:
        """How documents are read for clients: as the settings say, and never from this machine's own network."""
        return Options(recognize=self.settings.ocr == "on")

    @asynccontextmanager
    async def asking(
        self,
        messages: Sequence[Mapping[str, Any]],
        way: Way,
        max_tokens: int | None,
        sampling: Sampling,
        *,
        whole: bool = False,
        receive: Receive | None = None,
        **options: Any,
    ) -> AsyncIterator[Events]:
        """Ask a question, and stop it at the end of the block, or where the client goes away.

        Args:
            messages: the conversation, as `Engine.ask` takes it.
            way: what it is answered from.
            max_tokens: length limit of the answer; None: as the settings say.
            sampling: how the answer is drawn.
            whole: give the last event alone.
            receive: messages of the client; see `bridge.listening`.
            options: more arguments of `Engine.ask`.

        Raises:
            Fault: Too many questions wait, or this one takes too long.
        """
        if self.in_flight >= self.limits.questions:
            raise Fault(
                429, "too many questions are waiting: ask again in a moment", "queue_full", {"Retry-After": "1"}
            )
        if not messages or messages[-1]["role"] not in ("user", "tool"):
            raise Fault(400, "the last message must be the user's, or the result of a tool")
        if messages[-1]["role"] == "user" and not messages[-1]["content"].strip():
            raise Fault(400, "the last message is empty: it must have a question")
        messages = _without_greeting(messages)
        said = [message for message in messages if message["role"] != "system"]
        if said[0]["role"] != "user":
            raise Fault(400, "the first message after the system's must be the user's")
        # A base that was trained without system messages would refuse what many clients send unasked.
        messages = messages if self.reads_system else said
        self.in_flight += 1
        started = time.perf_counter()

        def start(listener: Listener) -> Request:
            return self.engine.ask(
                messages,  # type: ignore[arg-type]
                way.documents,
                way.context,
                way.routing,
                max_tokens or self.settings.max_tokens,
                sampling=sampling,
                listener=listener,
                **options,
            )

        try:
            async with bridge.listening(start, self.limits.seconds, whole=whole, receive=receive) as events:
                yield events
        except TimeoutError as error:
            raise Fault(504, f"the answer took longer than {self.limits.seconds:.0f} s and was stopped") from error
        finally:
            self.in_flight -= 1
            self.metrics.seconds.observe(time.perf_counter() - started)


def sampling(request: Drawing, stop: Sequence[str] = (), logprobs: int | None = None) -> Sampling:
    """Return how the answer to a request is drawn; without a temperature, the most likely token is taken."""
    temperature = request.temperature or 0.0
    top_p = 1.0 if request.top_p is None else request.top_p
    if top_p == 0:  # nothing but the most likely token
        temperature, top_p = 0.0, 1.0
    return Sampling(temperature, top_p, request.seed, tuple(stop), logprobs)


def _without_greeting(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Messages without what the assistant says before the first question: most chat templates begin with the user."""
    first = next(place for place, one in enumerate(messages) if one["role"] not in ("system", "assistant"))
    return [message for place, message in enumerate(messages) if place >= first or message["role"] == "system"]
