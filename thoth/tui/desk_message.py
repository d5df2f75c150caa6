"""What the main screen hands to its desk unread; apart from the messages themselves, which the first paint spares."""

from __future__ import annotations

from textual.message import Message


class DeskMessage(Message):
    """News of the engine, or a request of the library or the queue."""
