"""What is said on stderr: whole lines, and on a terminal one line of progress that gives way to them."""

import logging
import sys

from thoth.events import Progress

_ERASE_LINE = "\r\x1b[K"


def say(text: str) -> None:
    """Print one line `thoth: ...`."""
    clear_progress()
    print("thoth:", " ".join(text.split()), file=sys.stderr, flush=True)


def show_progress(progress: Progress, label: str) -> None:
    """Show how far a stage is; nothing unless stderr is a terminal."""
    if sys.stderr.isatty():
        print(f"{_ERASE_LINE}{label} {progress.done}/{progress.total}", end="", file=sys.stderr, flush=True)


def clear_progress() -> None:
    """Remove the progress line."""
    if sys.stderr.isatty():
        print(_ERASE_LINE, end="", file=sys.stderr, flush=True)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def forward_warnings(logger: logging.Logger) -> None:
    """Say the core's warnings as lines of our own."""
    logger.propagate = False
    logger.handlers = [_Lines(logging.WARNING)]
