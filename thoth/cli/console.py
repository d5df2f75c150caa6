"""What is said on stderr: whole lines, and on a terminal one line of progress that gives way to them."""

import logging
import shutil
import sys

from thoth.cli import table
from thoth.events import Progress
from thoth.system.machine import size

_ERASE_LINE = "\r\x1b[K"


class _ProgressLine:
    """The line that says how far a stage is; it stays empty where stderr is no terminal."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, label: str, progress: Progress) -> None:
        """Replace the line."""
        if sys.stderr.isatty():
            # One column less than there are: a full line would wrap, and a wrapped one is not erased.
            line = _line(label, progress, shutil.get_terminal_size().columns - 1)
            print(f"{_ERASE_LINE}{line}", end="", file=sys.stderr, flush=True)
            self._shown = True

    def clear(self) -> None:
        """Remove the line, if there is one: what stands in its place may be the answer."""
        if self._shown:
            print(_ERASE_LINE, end="", file=sys.stderr, flush=True)
            self._shown = False


progress_line = _ProgressLine()


def _line(label: str, progress: Progress, width: int) -> str:
    """Write how far it is, at what rate and for how long still; the label is what has to give way."""
    if progress.stage == "download":
        parts = [f" {size(progress.done)} of {size(progress.total)}"]
    else:
        parts = [f" {progress.done}/{progress.total}" if progress.total > 1 else ""]
    if progress.stage == "absorb" and progress.total > 1:
        parts[0] += " chunks"
    if progress.pages:
        parts.append(f"{progress.pages} page{'s' if progress.pages > 1 else ''}")
    if progress.tokens_per_second:
        parts.append(f"{progress.tokens_per_second:,.0f} tokens/s")
    if progress.seconds_left is not None:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        parts.append(f"{minutes}:{seconds:02} left")
    numbers = ", ".join(parts)
    return table.cut(label, max(width - len(numbers), 0)) + table.cut(numbers, width)


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
