"""Processor and clock seconds of each test, and of each file of tests.

`pytest -p benchmarks.test_seconds --test-seconds=FILE`, then `python -m benchmarks.test_seconds FILE`.

Seconds of processes that a test started and waited for are included. One process, no xdist: what a test leaves to the
next one (imports, models of the session) counts for the first that needs it.
"""

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest


def processor_seconds() -> float:
    """User and system seconds of this process and of the children it has waited for."""
    return sum(os.times()[:4])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--test-seconds", type=Path, default=None, help="Append each test's seconds to this file.")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    clock, processor = time.perf_counter(), processor_seconds()
    result = yield
    write(session.config, "collection", clock, processor)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    clock, processor = time.perf_counter(), processor_seconds()
    result = yield
    write(item.config, item.nodeid, clock, processor)
    return result


def write(config: pytest.Config, name: str, clock: float, processor: float) -> None:
    """Append one line: name, processor seconds, clock seconds."""
    path = config.getoption("--test-seconds")
    if path:
        row = [name, round(processor_seconds() - processor, 3), round(time.perf_counter() - clock, 3)]
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def main(path: Path, tests: int = 40) -> None:
    """Print the sum, the files by processor seconds, and the longest tests."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    files: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0])
    for name, processor, clock in rows:
        totals = files[name.split("::")[0]]
        for index, value in enumerate((processor, clock, 1)):
            totals[index] += value
    print(
        f"{sum(row[1] for row in rows):.1f} processor s, {sum(row[2] for row in rows):.1f} clock s, {len(rows)} tests"
    )
    for name, (processor, clock, count) in sorted(files.items(), key=lambda pair: -pair[1][0]):
        print(f"{processor:7.1f} {clock:7.1f} {count:5.0f}  {name}")
    print()
    for name, processor, clock in sorted(rows, key=lambda row: -max(row[1:]))[:tests]:
        print(f"{processor:7.1f} {clock:7.1f}  {name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
