"""Events of the engine, followed to the last of them: progress on stderr, an answer as it comes."""

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from thoth.cli import console
from thoth.events import Absorbed, Answer, Event, Failed, Progress, Token

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument


def last(events: Iterator[Event], label: str = "", write: Callable[[str], None] | None = None) -> Event:
    """Return the last event of a request; raises the error it ended with.

    Args:
        events: of the request.
        label: says on the line of progress what is being done.
        write: is given each piece of an answer.
    """
    for event in events:
        match event:
            case Progress():
                console.progress_line.show(label, event)
            case Token():
                if write is not None:
                    write(event.text)
            case Failed():
                raise event.error
    console.progress_line.clear()
    return event


def document(events: Iterator[Event], name: str) -> "StoredDocument":
    """Return the document that a request absorbs."""
    event = last(events, f"absorbing {name}")
    assert isinstance(event, Absorbed)
    return event.document


def answer(events: Iterator[Event], write: Callable[[str], None] | None = None) -> Answer:
    """Return the answer that a request gives."""
    event = last(events, write=write)
    assert isinstance(event, Answer)
    return event


def write_now(text: str) -> None:
    """Print a piece of an answer at once."""
    sys.stdout.write(text)
    sys.stdout.flush()
