"""Standard input beside a question: `cat lease.txt | thoth ask "When does it end?"` has a document there."""

import os
import select
import stat
import sys
from typing import Any

from thoth.cli import console

_PATIENCE_SECONDS = 2.0


def is_document() -> bool:
    """Wait for the first byte on standard input, and tell whether there is one.

    A terminal, /dev/null and an empty pipe have none. A program may have started Thoth with a pipe that it forgets to
    close, so a line says what is waited for.
    """
    if sys.stdin is None or sys.stdin.isatty():
        return False
    stream: Any = sys.stdin.buffer
    try:
        file = sys.stdin.fileno()
        mode = os.fstat(file).st_mode
    except (OSError, ValueError):  # no file: whoever called has put a stream of its own there
        place = stream.tell()
        found = bool(stream.read(1))
        stream.seek(place)
        return found
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode)):
        return False
    if not select.select([file], [], [], _PATIENCE_SECONDS)[0]:
        console.say("waiting for a document on standard input; if there is none, add `< /dev/null`")
    return bool(stream.peek(1))
