"""How long the command line takes to start, and which imports that time goes to.

python benchmarks/startup.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NOTE = Path(__file__).parent.parent / "examples" / "harbour.txt"
QUESTION = "Who is the mayor of Harpool?"
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    commands = {
        "python -c pass": ["-c", "pass"],
        "thoth --help": ["-m", "thoth", "--help"],
        "thoth ask (absorbs)": ["-m", "thoth", "ask", "--doc", str(NOTE), QUESTION],
    }
    print("| command | median seconds | of `python -c pass` |\n|---|---|---|")
    bare = 0.0
    for name, command in commands.items():
        seconds = statistics.median(_time(command) for _ in range(repeats))
        bare = bare or seconds
        print(f"| `{name}` | {seconds:.2f} | {seconds / bare:.1f} |")
    print("\nImports of `thoth ask`, cumulative:\n\n| package | seconds |\n|---|---|")
    for package, seconds in _imports(commands["thoth ask (absorbs)"])[:10]:
        print(f"| {package} | {seconds:.2f} |")


def _run(command: list[str], *flags: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as home:  # a fresh home: nothing has been absorbed before
        return subprocess.run(
            [sys.executable, *flags, *command],
            env={**os.environ, "THOTH_HOME": home},
            capture_output=True,
            text=True,
            check=True,
        )


def _time(command: list[str]) -> float:
    started = time.perf_counter()
    _run(command)
    return time.perf_counter() - started


def _imports(command: list[str]) -> list[tuple[str, float]]:
    """Cumulative seconds of each top-level package's first import, longest first; nested ones count in their parent."""
    seconds: dict[str, float] = {}
    for line in _run(command, "-X", "importtime").stderr.splitlines():
        if match := _IMPORT.match(line):
            package = match[4].partition(".")[0]
            seconds[package] = max(seconds.get(package, 0.0), int(match[2]) / 1e6)
    return sorted(seconds.items(), key=lambda entry: -entry[1])


if __name__ == "__main__":
    main()
