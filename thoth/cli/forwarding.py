"""Warnings of the core as lines on stderr. In a file of its own: help and completion do without `logging`."""

import logging

from thoth.cli import console


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        console.say(record.getMessage())


def forward_warnings() -> None:
    """Print warnings of the core as lines."""
    logging.getLogger("thoth").handlers = [_Lines(logging.WARNING)]
