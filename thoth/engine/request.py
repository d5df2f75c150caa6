"""A request to the engine: the side that the engine works on, and the side that the caller holds."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator

from thoth.engine.loading import is_out_of_memory
from thoth.errors import InternalError, ModelError, ResourceError, Stopped, ThothError
from thoth.events import Event, Failed, is_last

log = logging.getLogger(__name__)

Listener = Callable[[Event], object]


class Task:
    """A request as the engine sees it: who gets its events, and whether it was stopped.

    Args:
        listener: called with each event, on the thread where it happens.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._stop = threading.Event()

    def tell(self, event: Event) -> None:
        """Report an event. A listener that raises stops its request, and nothing else."""
        try:
            self._listener(event)
        except Exception:
            log.exception("a listener of the engine failed; its request is stopped")
            self.stop()

    @property
    def stopped(self) -> bool:
        """Whether the request was stopped."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Make the next `check` raise; from any thread."""
        self._stop.set()

    def check(self) -> None:
        """Raise `Stopped` if the request was stopped; called at every turn, layer and token."""
        if self.stopped:
            raise Stopped("stopped")


class Request(Iterator[Event]):
    """A request as its caller holds it.

    With a listener, events go there and `close` is all there is to do here. Without one, iterate over the request, on
    one thread: the iterator is a queue between that thread and the engine's. Dropping the iterator stops the request.

    Args:
        listener: called with each event, in order, on one of the engine's threads; it must return soon and not raise.
    """

    def __init__(self, listener: Listener | None) -> None:
        self._events: queue.SimpleQueue[Event] | None = None if listener else queue.SimpleQueue()
        self.task = Task(listener or self._events.put)  # type: ignore[union-attr]

    def __next__(self) -> Event:
        """Wait for the next event.

        Raises:
            Exception: The one that ended the request, if it is a bug: a `Failed(InternalError)` is not returned.
        """
        if self._events is None:
            raise StopIteration
        event = self._events.get()
        if is_last(event):
            self._events = None
        if isinstance(event, Failed) and isinstance(event.error, InternalError) and event.error.__cause__:
            raise event.error.__cause__
        return event

    def close(self) -> None:
        """Stop this request alone, from any thread: unless it is done, its last event is `Failed(Stopped)`."""
        self.task.stop()

    def __del__(self) -> None:
        if self._events is not None:
            self.close()


def failure(error: BaseException) -> Failed:
    """Return the last event of a request that an error ended."""
    if isinstance(error, ThothError):
        return Failed(error)
    if is_out_of_memory(error):
        return Failed(ResourceError("not enough memory; close other programs, or use a smaller model or document"))
    if type(error).__name__ == "PanicException":  # its class cannot be imported
        return Failed(ModelError("the base model's tokenizer fails on this text: download or convert the model again"))
    bug = InternalError(f"unexpected error: {error!r}")
    bug.__cause__ = error
    return Failed(bug)
