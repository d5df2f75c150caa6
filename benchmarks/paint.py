"""Where the time to the terminal app's first paint goes, beside that of an empty Textual app: the floor.

python -m benchmarks.paint [--repeats 5]

On a machine that has other things to do wall times mislead, so the seconds that each process computed stand beside
them, and how many times those of `python -c pass`, of the same run, they are. The last line compares the app with the
empty one round by round: both are started right after each other. Bytecode is compiled first, as an installer does.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import termios
import time
from typing import NamedTuple

from benchmarks import harness

COLUMNS, LINES = 120, 40
_PATIENCE_SECONDS = 60
_EMPTY_APP, _APP = "an empty Textual app's first paint", "the app's first paint: `thoth`"
_PROMPT = "drop a file"  # of the prompt's placeholder; its first letter has the cursor's colours around it
_EMPTY = f"""
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static({_PROMPT!r})
Empty().run()
"""


class Seconds(NamedTuple):
    """What a start took: until somebody sees it, and how much of that (on all threads) it computed."""

    wall: float
    computing: float


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    show(parser.parse_args().repeats)


def show(repeats: int) -> None:
    """Print the medians; each round measures everything once, so that a busy minute makes all of it slower."""
    starts = {
        "the interpreter: `python -c pass`": lambda: _whole("pass"),
        "and Textual imported": lambda: _whole("import textual.app; from textual.widgets import Static"),
        "the interpreter, and the app imported": lambda: _whole("import thoth.tui.app, thoth.tui.screens.main"),
        _EMPTY_APP: lambda: _painted("-c", _EMPTY),
        _APP: lambda: _painted("-m", "thoth"),
    }
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    _painted("-m", "thoth")  # compiles it
    rounds = [{name: start() for name, start in starts.items()} for _ in range(repeats)]
    table = harness.Table("start", "seconds", "computing", "times the interpreter")
    bare = 0.0
    for name in starts:
        wall, computing = (statistics.median(each) for each in zip(*(one[name] for one in rounds), strict=True))
        bare = bare or computing
        table.row(name, f"{wall:.2f}", f"{computing:.2f}", f"{computing / bare:.1f}")
    ratios = sorted(one[_APP].computing / one[_EMPTY_APP].computing for one in rounds)
    walls = statistics.median(one[_APP].wall / one[_EMPTY_APP].wall for one in rounds)
    middle = statistics.median(ratios)
    print(f"\nApp over empty app: computing {middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), clock {walls:.2f}")


def _whole(code: str) -> Seconds:
    """Run a program to its end."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code])
    return _ended(process.pid, started)


def _painted(*command: str) -> Seconds:
    """Run a program in a terminal of its own until the prompt is there."""
    with tempfile.TemporaryDirectory() as home:
        started = time.perf_counter()
        process, terminal = pty.fork()
        if process == 0:
            os.environ |= {"THOTH_HOME": home, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
            os.execv(sys.executable, [sys.executable, *command])
        termios.tcsetwinsize(terminal, (LINES, COLUMNS))
        seen = b""
        while _PROMPT.encode() not in seen and time.perf_counter() - started < _PATIENCE_SECONDS:
            if select.select([terminal], [], [], 1)[0]:
                seen += os.read(terminal, 1 << 16)
        os.kill(process, signal.SIGKILL)
        seconds = _ended(process, started)
        os.close(terminal)
    if _PROMPT.encode() not in seen:
        raise SystemExit(f"nothing was painted in {_PATIENCE_SECONDS} s, only {seen[-200:]!r}")
    return seconds


def _ended(process: int, started: float) -> Seconds:
    used = os.wait4(process, 0)[2]
    return Seconds(time.perf_counter() - started, used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    main()
