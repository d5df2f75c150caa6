"""How long the command line takes to start, which imports that time goes to, and how that compares to a commit before.

python -m benchmarks.startup [--repeats 5] [--against COMMIT]
"""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks import harness

ROOT = Path(__file__).resolve().parent.parent
NOTE = ROOT / "examples" / "harbour.txt"
QUESTION = "Who is the mayor of Harpool?"
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--against", metavar="COMMIT", help="Only compare with this commit, taking turns.")
    arguments = parser.parse_args()
    if arguments.against:
        compare(arguments.against, arguments.repeats)
    else:
        measure(arguments.repeats)


def compare(commit: str, repeats: int) -> None:
    """Print the processor time of starts now and at a commit, taking turns: on a busy machine waiting tells nothing."""
    commands = {
        "python -c pass": ["-c", "pass"],
        "import thoth": ["-c", "import thoth"],
        "thoth --help": ["-m", "thoth", "--help"],
    }
    table = harness.Table("command", "median CPU ms", f"at {commit}", "median ratio")
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        for name, command in commands.items():
            trees = (ROOT, Path(folder))
            pairs = [tuple(_cpu_time(command, tree) for tree in trees) for _ in range(repeats + 1)][1:]  # compiled once
            now, before = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
            ratio = statistics.median(new / old for new, old in pairs)
            table.row(f"`{name}`", f"{now:.0f}", f"{before:.0f}", f"{ratio:.2f}")


def measure(repeats: int) -> None:
    """Print the time of each command, and the imports it goes to."""
    commands = {
        "python -c pass": ["-c", "pass"],
        "thoth --help": ["-m", "thoth", "--help"],
        "thoth ask (absorbs)": ["-m", "thoth", "ask", "--doc", str(NOTE), QUESTION],
    }
    table = harness.Table("command", "median seconds", "of `python -c pass`")
    bare = 0.0
    for name, command in commands.items():
        seconds = harness.median_seconds(partial(_run, command), repeats, warm_up=False)
        bare = bare or seconds
        table.row(f"`{name}`", f"{seconds:.2f}", f"{seconds / bare:.1f}")
    print("\nImports of `thoth ask`, cumulative:\n")
    table = harness.Table("package", "seconds")
    for package, seconds in _imports(commands["thoth ask (absorbs)"])[:10]:
        table.row(package, f"{seconds:.2f}")


def _run(command: list[str], *flags: str, tree: Path = ROOT) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as home:  # a fresh home: nothing has been absorbed before
        return subprocess.run(
            [sys.executable, *flags, *command],
            env={**os.environ, "THOTH_HOME": home, "PYTHONPATH": str(tree)},
            cwd=tree,
            capture_output=True,
            text=True,
            check=True,
        )


def _cpu_time(command: list[str], tree: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(command, tree=tree)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
