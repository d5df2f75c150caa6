"""What goes to stderr: whole lines, and on a terminal one line of progress, which other output replaces."""

import os
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from thoth.cli import table
from thoth.system import terminal
from thoth.system.machine import size

if TYPE_CHECKING:
    from thoth.actions.sources import Source
    from thoth.events import Event, Progress

OCR_HELP = "Recognize text on scanned pages (OCR): the extra `ocr` on macOS, tesseract on Linux. [off]"

_ERASE_LINE = "\r\x1b[K"


class _ProgressLine:
    """The line that shows how far a stage is; nothing where stderr is not a terminal."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, label: str, progress: "Progress") -> None:
        """Replace the line."""
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            # One column less than there are: a full line would wrap, and a wrapped line cannot be erased.
            line = _line(label, progress, shutil.get_terminal_size().columns - 1)
            terminal.control(sys.stderr).write(f"{_ERASE_LINE}{terminal.stripped(line)}")
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        """Erase the line, if there is one: the answer may take its place."""
        if self._shown:
            terminal.control(sys.stderr).write(_ERASE_LINE)
            sys.stderr.flush()
            self._shown = False


progress_line = _ProgressLine()


def progress(label: str) -> Callable[["Event"], None]:
    """Return a listener that shows the progress of a request.

    Args:
        label: what is being done.
    """
    from thoth.events import Progress

    def listen(event: "Event") -> None:
        if isinstance(event, Progress):
            progress_line.show(label, event)
        else:
            progress_line.clear()

    return listen


def _line(label: str, progress: "Progress", width: int) -> str:
    """Write how far it is, how fast and how long it still takes; the label is cut if the line is too long."""
    if progress.stage == "download":
        parts = [f" {size(progress.done)} of {size(progress.total)}"]
    else:
        parts = [f" {progress.done}/{progress.total}" if progress.total > 1 else ""]
    if progress.total > 1 and (unit := {"absorb": " chunks", "check": " tokens"}.get(progress.stage)):
        parts[0] += unit
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
    """Print one line `thoth: ...`; on a terminal it is broken between words, and commands stay whole."""
    progress_line.clear()
    line = f"thoth: {' '.join(text.splitlines())}"
    lines = table.wrap(line, shutil.get_terminal_size().columns) if sys.stderr.isatty() else [line]
    print("\n".join(lines), file=sys.stderr, flush=True)


def label(text: str, *, good: bool) -> None:
    """Print a line about an answer on stderr, after an empty one on a terminal; the words say what the colour shows."""
    if not sys.stderr.isatty():
        typer.echo(text, err=True)
    elif os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        typer.echo(f"\n{text}", err=True)
    else:
        colour = typer.colors.GREEN if good else typer.colors.YELLOW
        typer.secho(f"\n{terminal.printable(text)}", file=terminal.control(sys.stderr), fg=colour)


def switch(flag: bool | None) -> str | None:
    """Return what a flag such as --ocr sets: `on`, `off`, or None where it was not given."""
    return None if flag is None else "on" if flag else "off"


def may_fetch(source: "Source") -> bool:
    """Ask whether to fetch an address of this machine or its own network; without a terminal, naming it is enough."""
    from thoth.ingest.names import shown

    where = f"{shown(source.place)} is on this machine or its own network"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        say(f"{where}; fetching it, because you named it")
        return True
    return typer.confirm(f"{where}. Fetch it?", err=True)
