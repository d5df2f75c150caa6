"""What the benchmarks share: arguments, timing, peak memory and tables."""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the benchmark's docstring, line by line."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def seconds_of(task: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    started = time.perf_counter()
    task()
    return time.perf_counter() - started


def median_seconds(task: Callable[[], object], repeats: int, *, warm_up: bool = True) -> float:
    """Median wall-clock seconds of some calls.

    Args:
        task: the function to time.
        repeats: number of timed calls.
        warm_up: whether an untimed call comes first; it builds what later ones reuse.
    """
    if warm_up:
        task()
    return statistics.median(seconds_of(task) for _ in range(repeats))


def peak_memory_bytes(used: resource.struct_rusage | None = None) -> int:
    """Largest resident size so far, in bytes.

    Args:
        used: resources of another process, as `os.wait4` returns them; None for this one.
    """
    used = resource.getrusage(resource.RUSAGE_SELF) if used is None else used
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)  # bytes on macOS, kilobytes on Linux


class Table:
    """A Markdown table that is printed row by row, as results come in."""

    def __init__(self, *columns: str) -> None:
        self._columns = len(columns)
        self.row(*columns)
        self.row(*["---"] * len(columns))

    def row(self, *cells: object) -> None:
        """Print one row.

        Raises:
            ValueError: The number of cells differs from the number of columns.
        """
        if len(cells) != self._columns:
            raise ValueError(f"{len(cells)} cells for {self._columns} columns")
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
