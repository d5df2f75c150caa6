"""A library outlives the processes that work on it: killed at any instant, or several at once."""

import copy
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.app import library_worker, made_up
from thoth.library.library import Library
from thoth.library.records import ChunkRef

BIAS = f"bias-{made_up.BUNDLE}.safetensors"

# What the library should hold: number of the note -> name, active, absorbed chunks.
State = dict[int, tuple[str, bool, frozenset[int]]]


@pytest.fixture
def workers() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.app.library_worker"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def begin(workers: "subprocess.Popen[str]", *task: object) -> int:
    assert workers.stdin
    assert workers.stdout
    workers.stdin.write(json.dumps([str(part) for part in task]) + "\n")
    workers.stdin.flush()
    return int(workers.stdout.readline())


def ended(workers: "subprocess.Popen[str]") -> int:
    assert workers.stdout
    return int(workers.stdout.readline())


def after(state: State, operation: str, number: int, *value: object) -> State:
    """What an operation makes of a state."""
    state = copy.copy(state)
    if operation == "begin":
        state[number] = (f"note {number}", True, frozenset())
        return state
    name, active, chunks = state.pop(number)
    if operation == "store":
        chunks |= {*value[0]}  # type: ignore[misc]
    elif operation == "rename":
        name = str(value[0])
    elif operation == "activate":
        active = bool(value[0])
    if operation != "remove":
        state[number] = (name, active, chunks)
    return state


def found(library: Library) -> State:
    numbers = {library_worker.note_id(number): number for number in range(library_worker.DOCUMENTS)}
    every = frozenset(range(library_worker.CHUNKS))
    return {
        numbers[document.id]: (document.name, document.active, every - {*library.missing(document.id)})
        for document in library.documents()
    }


def files(home: Path) -> set[str]:
    return {str(path.relative_to(home / "documents")) for path in (home / "documents").rglob("*") if path.is_file()}


def expected_files(state: State) -> set[str]:
    return {
        f"{library_worker.note_id(number)}/{chunk:05}.safetensors"
        for number, note in state.items()
        for chunk in note[2]
    }


@pytest.mark.parametrize("kills", [12, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_any_instant(home: Path, tmp_path: Path, workers: "subprocess.Popen[str]", kills: int) -> None:
    chance, state, done = random.Random(0), State(), 0
    for kill in range(kills):
        journal = tmp_path / f"journal-{kill}"
        child = begin(workers, home, journal, kill)
        operations = chance.randint(1, 8)
        while not (journal.exists() and journal.read_text().count("\n") >= 2 * operations - 1):
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.03))  # in the midst of an operation, or a few further on
        os.kill(child, signal.SIGKILL)
        assert ended(workers) in (signal.SIGKILL, 0)

        pending = None
        for line in journal.read_text().splitlines():
            operation, *values = json.loads(line)
            if operation == "done":
                assert pending
                state, pending, done = after(state, *pending), None, done + 1
            else:
                pending = (operation, *values)
        library = Library(home)
        outcomes = [state, after(state, *pending)] if pending else [state]
        assert found(library) in outcomes
        state = found(library)

        for line in library.repair():
            assert "belongs to nothing" in line
        assert found(library) == state
        assert files(home) - {BIAS} == expected_files(state)
        assert state or BIAS not in files(home)
        assert not [path for path in home.iterdir() if path.name.startswith(".")]
        for number, (_, _, chunks) in state.items():
            if chunks:
                refs = [ChunkRef(library_worker.note_id(number), chunk) for chunk in sorted(chunks)]
                assert library.adapters(refs).A["down_proj"][:, 0, 0, 0].tolist() == sorted(chunks)
        library.close()
    assert done > kills  # it was at work, not still at the beginning


def test_two_processes_absorb_the_same(home: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.app import library_worker as w, made_up; "
        "from thoth.library.library import Library; library = Library(Path(sys.argv[1])); input(); "
        "[made_up.absorb(library, w.note(n)) for n in range(w.DOCUMENTS)]; print(library.repair())"
    )
    command = [sys.executable, "-c", program, str(home)]
    root = Path(__file__).parents[2]
    both = [
        subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        output, errors = process.communicate()
        assert (process.returncode, output) == (0, "[]\n"), errors
    library = Library(home)
    assert all(document.complete for document in library.documents())
    assert len(library.documents()) == library_worker.DOCUMENTS
    refs = [ChunkRef(library_worker.note_id(0), number) for number in (4, 0, 2)]
    assert library.adapters(refs).A["down_proj"][:, 0, 0, 0].tolist() == [4, 0, 2]
    assert library.repair() == []


def test_many_threads_use_one_library(home: Path) -> None:
    library = Library(home)

    def work(number: int) -> int:
        document = made_up.document([f"Thread {number} was here."], f"note {number}")
        stored = made_up.begin(library, document)
        for _ in range(5):
            library.rename(stored.id, f"{number} again")
            assert library.get(stored.id).name == f"{number} again"
            library.search("thread", [stored.id], 3)
        return len(library.documents())

    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(work, range(8)))
    assert max(counts) == 8
    assert len(library.documents()) == 8
    assert library.repair() == []
