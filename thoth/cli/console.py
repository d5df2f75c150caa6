"""What is said on stderr: whole lines, and on a terminal one line of progress that gives way to them."""

import logging
import sys

from thoth.events import Progress

_ERASE_LINE = "\r\x1b[K"


class _ProgressLine:
    """The line that says how far a stage is; it stays empty where stderr is no terminal."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, label: str, progress: Progress) -> None:
        """Replace the line."""
        if sys.stderr.isatty():
            count = f" {progress.done}/{progress.total}" if progress.total > 1 else ""
            print(f"{_ERASE_LINE}{label}{count}", end="", file=sys.stderr, flush=True)
            self._shown = True

    def clear(self) -> None:
        """Remove the line, if there is one: what stands in its place may be the answer."""
        if self._shown:
            print(_ERASE_LINE, end="", file=sys.stderr, flush=True)
            self._shown = False


progress_line = _ProgressLine()


def say(text: str) -> None:
    """Print one line `thoth: ...`."""
    progress_line.clear()
    print("thoth:", " ".join(text.splitlines()), file=sys.stderr, flush=True)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def forward_warnings(logger: logging.Logger) -> None:
    """Say the core's warnings as lines of our own."""
    logger.handlers = [_Lines(logging.WARNING)]
