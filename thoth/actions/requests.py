"""Wait for one request to the engine: events go to a listener, the result is returned or the error raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from thoth.events import Absorbed, Answer, Event, Failed

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument

Listener = Callable[[Event], object]


def ignore(_: Event) -> None:
    """Listen to nothing."""


def last(events: Iterator[Event], listener: Listener = ignore) -> Event:
    """Return the last event of a request; the listener gets every event, also that one.

    Raises:
        ThothError: The request failed.
    """
    for event in events:
        if isinstance(event, Failed):
            raise event.error
        listener(event)
    return event


def document(events: Iterator[Event], listener: Listener = ignore) -> StoredDocument:
    """Return the document that a request absorbs; raises as `last`."""
    event = last(events, listener)
    assert isinstance(event, Absorbed)
    return event.document


def answer(events: Iterator[Event], listener: Listener = ignore) -> Answer:
    """Return the answer that a request gives; raises as `last`."""
    event = last(events, listener)
    assert isinstance(event, Answer)
    return event
