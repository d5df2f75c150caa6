"""Two processes that read one long PDF: they end together, count together, and either can be lost."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.app.ingest.test_reader_process import make_pdf, read, wait_until_gone, while_killing
from thoth.errors import DocumentError, Stopped
from thoth.ingest import formats, reader_process
from thoth.ingest.document import Document, complete
from thoth.ingest.reader_connection import Child
from thoth.ingest.reader_limits import Limits, Watch
from thoth.ingest.reader_process import ReaderProcess
from thoth.system import machine, usage

PAGES = 1_000  # so many that they come in more than one message


@pytest.fixture
def reader() -> Iterator[ReaderProcess]:
    reader = ReaderProcess(second_from=2)
    yield reader
    reader.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Document]:
    """A file, and what one process reads in it."""
    path = tmp_path_factory.mktemp("reports") / "report.pdf"
    path.write_bytes(make_pdf(PAGES))
    return path, formats.read(path.read_bytes(), path.name)


def test_both_read_one_file_and_stay(reader: ReaderProcess, report: tuple[Path, Document]) -> None:
    path, expected = report
    for _ in range(2):
        document, progress = read(reader, path)
        assert document == expected
        assert progress == [(page, PAGES) for page in range(1, PAGES + 1)]
    pids = reader.pids
    assert len(pids) == 2
    before = [usage.of(pid).cpu_seconds for pid in pids]
    while any(usage.of(pid).cpu_seconds == used for pid, used in zip(pids, before, strict=True)):
        assert read(reader, path)[0] == expected
    assert reader.pids == pids  # both worked, and both are used again
    (path.parent / "note.txt").write_text("text")
    for _ in range(3):  # the second one too is ready for other files
        assert read(reader, path.parent / "note.txt")[0].text == "text"


def test_short_files_and_one_core_need_one(
    report: tuple[Path, Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "short.pdf").write_bytes(make_pdf(3))
    for cores, path in ((2, tmp_path / "short.pdf"), (1, report[0])):
        monkeypatch.setattr(machine, "cores", lambda cores=cores: cores)
        reader = ReaderProcess()
        read(reader, path)
        assert len(reader.pids) == 1
        reader.close()


@pytest.mark.parametrize("way", ["stop", "interrupt", "close"])
def test_both_end_at_once(reader: ReaderProcess, report: tuple[Path, Document], way: str) -> None:
    read(reader, report[0])
    pids, asked = reader.pids, 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        if asked < 3:
            return False
        if way == "interrupt":
            raise KeyboardInterrupt
        return True

    assert len(pids) == 2
    if way == "close":
        pages = reader.read(report[0], {}, lambda: False)
        next(pages)
        reader.close()
    else:
        with pytest.raises(Stopped if way == "stop" else KeyboardInterrupt):
            read(reader, report[0], should_stop)
    for pid in pids:
        wait_until_gone(pid)


@pytest.mark.parametrize("times", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_killing_either_loses_nothing(reader: ReaderProcess, report: tuple[Path, Document], times: int) -> None:
    path, expected = report
    chance, seen = random.Random(18), set[int]()

    def kill() -> bool:
        time.sleep(chance.uniform(0, 0.2))
        if pids := [pid for pid in reader.pids if pid not in seen]:
            seen.add(pid := chance.choice(pids))
            os.kill(pid, signal.SIGKILL)
        return len(seen) >= times

    for _ in while_killing(kill):
        assert read(reader, path)[0] == expected
    assert len(seen) >= times
    reader.close()
    for pid in seen:
        wait_until_gone(pid)


@pytest.mark.parametrize("which", ["first", "second"])
def test_a_crash_costs_that_file_at_most(reader: ReaderProcess, report: tuple[Path, Document], which: str) -> None:
    path, expected = report
    read(reader, path)
    first, second = pids = reader.pids
    pages = reader.read(path, {}, lambda: False)
    next(pages)
    os.kill(first if which == "first" else second, signal.SIGSEGV)
    if which == "first":
        with pytest.raises(DocumentError, match=r"report\.pdf made the reader crash"):
            complete(pages)
        for pid in pids:
            wait_until_gone(pid)
    else:
        assert complete(pages) == expected
        wait_until_gone(second)
    assert read(reader, path)[0] == expected


class Processes:
    """What two processes use, as a test says it."""

    def __init__(self) -> None:
        self.used = {1: usage.Usage(), 2: usage.Usage()}

    def of(self, pid: int) -> usage.Usage:
        return self.used[pid]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Watch, Processes, list[str]]]:
    def make(**limits: float) -> tuple[Watch, Processes, list[str]]:
        processes, ended = Processes(), list[str]()
        monkeypatch.setattr(usage, "of", processes.of)
        monkeypatch.setattr("thoth.ingest.reader_limits._WATCH_SECONDS", 0.0)
        watch = Watch(1, "report.pdf", Limits(**limits), 0, lambda: False)  # type: ignore[arg-type]
        watch.share(2, lambda: ended.append("second"))
        return watch, processes, ended

    return make


def test_processor_time_is_that_of_both(watched: Callable[..., tuple[Watch, Processes, list[str]]]) -> None:
    watch, processes, _ = watched(cpu_seconds=10.0)
    processes.used = {1: usage.Usage(6.0), 2: usage.Usage(3.0)}
    watch.check()
    processes.used = {1: usage.Usage(8.0), 2: usage.Usage()}  # the second has ended: its time still counts
    with pytest.raises(DocumentError, match=r"report\.pdf takes too long to read"):
        watch.check()


def test_memory_is_that_of_both_and_the_second_goes_first(
    watched: Callable[..., tuple[Watch, Processes, list[str]]],
) -> None:
    watch, processes, ended = watched(memory_bytes=100)
    processes.used = {1: usage.Usage(0.0, 70), 2: usage.Usage(0.0, 40)}
    watch.check()
    assert ended == ["second"]
    processes.used[2] = usage.Usage()
    watch.check()
    processes.used[1] = usage.Usage(0.0, 101)
    with pytest.raises(DocumentError, match=r"report\.pdf takes more than"):
        watch.check()


def test_no_more_processes_can_be_started(
    reader: ReaderProcess, report: tuple[Path, Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def child(memory_bytes: int) -> Child:
        made.append(memory_bytes)
        if len(made) > 1:
            raise DocumentError("cannot start the process that reads files")
        return Child(memory_bytes)

    monkeypatch.setattr(reader_process, "Child", child)
    assert read(reader, report[0])[0] == report[1]
    assert len(made) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="the system bounds memory on Linux alone")
def test_the_second_process_gets_less_memory() -> None:
    code = (
        "import resource; from thoth.ingest import reader_child as child; child._limit(400 << 20)\n"
        "most = resource.getrlimit(resource.RLIMIT_AS)[0]\n"
        "with child._with_less_memory(300 << 20):\n"
        "    try: bytes(150 << 20)\n"
        "    except MemoryError: print('no room')\n"
        "assert resource.getrlimit(resource.RLIMIT_AS)[0] == most; print(len(bytes(150 << 20)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.split("\n")[:2] == ["no room", str(150 << 20)], found.stderr
