"""What the tests of the engine ask it, and how they read its events."""

import threading
from collections.abc import Callable, Iterator

from thoth.errors import ThothError
from thoth.events import Absorbed, Answer, Event, Failed
from thoth.ingest import Document
from thoth.library.records import StoredDocument
from thoth.retrieval.routing import Routing

QUESTION = [{"role": "user", "content": "Who is the founder of Velmar?"}]
NOTE = Document("note.txt", "The founder of Velmar is Ana Dor.")
OTHER = Document("other.txt", "The mayor of Tolquin is Berin Asto.")
LONG = Document("long.txt", "The founder of Velmar is Ana Dor. " * 30)
ALL = Routing("all")


def last(events: Iterator[Event]) -> Event:
    return list(events)[-1]


def answer(events: Iterator[Event]) -> Answer:
    event = last(events)
    assert isinstance(event, Answer)
    return event


def absorbed(events: Iterator[Event]) -> StoredDocument:
    event = last(events)
    assert isinstance(event, Absorbed)
    return event.document


def error(events: Iterator[Event]) -> ThothError:
    event = last(events)
    assert isinstance(event, Failed)
    return event.error


def until(events: Iterator[Event], wanted: Callable[[Event], bool]) -> Event:
    return next(event for event in events if wanted(event))


def in_background(events: Iterator[Event]) -> Callable[[], list[Event]]:
    """Read events on a thread of their own; the result waits for them."""
    read: list[Event] = []
    thread = threading.Thread(target=lambda: read.extend(events))
    thread.start()

    def result() -> list[Event]:
        thread.join(60)
        return read

    return result
