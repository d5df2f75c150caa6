"""kill -9 in the middle of tools: the chat reopens whole, and what belongs to it goes with it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from thoth.actions import chats
from thoth.chats.sessions import Sessions
from thoth.library.library import Library

ROOT = Path(__file__).parents[2]


def kill_somewhere(workers: subprocess.Popen[str], home: Path, draw: random.Random) -> int:
    """Start a worker, kill it a moment after some line; returns the turns it reported."""
    assert workers.stdin is not None
    assert workers.stdout is not None
    workers.stdin.write(f"{home}\n")
    workers.stdin.flush()
    child = int(workers.stdout.readline())
    turns = 0
    for _ in range(draw.randint(1, 12)):
        line = workers.stdout.readline()
        assert line.strip() in ("step", "turn"), line
        turns += line.strip() == "turn"
    time.sleep(draw.random() * 0.1)
    os.kill(child, signal.SIGKILL)
    rest = [*iter(workers.stdout.readline, f"ended {int(signal.SIGKILL)}\n")]
    return turns + rest.count("turn\n")


def check_whole(home: Path, reported: int) -> None:
    """Every chat reopens with what was reported, nothing is half done, and deleting a chat leaves nothing of it."""
    sessions, library = Sessions(home), Library(home)
    turns = [turn for session in sessions.find() for turn in sessions.turns(session.id)]
    assert sum(turn.state == "done" for turn in turns) >= reported
    for turn in turns:
        assert turn.state in ("done", "stopped")
        assert [step.number for step in turn.steps] == [*range(len(turn.steps))]
        assert all(step.ended for step in turn.steps)
        if turn.state == "done":
            assert [step.state for step in turn.steps] == ["done"] * 3
            absorbed = [id for step in turn.steps for id in step.documents]
            assert all(one.complete for one in library.known(absorbed))
            assert len(library.known(absorbed)) == 2
    for session in sessions.find():
        mine = library.known(sessions.documents(session.id))
        chats.remove(library, sessions, session.id)
        assert not library.known([one.id for one in mine if one.of_chat])
    library.close()


def kill_often(tmp_path: Path, times: int) -> None:
    draw = random.Random(0)
    command = [sys.executable, "-m", "tests.app.agent_worker"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as workers:
        for number in range(times):
            home = tmp_path / str(number % 5)  # some homes are killed in again and again
            check_whole(home, kill_somewhere(workers, home, draw))
        assert workers.stdin is not None
        workers.stdin.close()


def test_a_killed_agent_leaves_a_whole_chat(tmp_path: Path) -> None:
    kill_often(tmp_path, 3)


@pytest.mark.slow
def test_an_agent_killed_fifty_times(tmp_path: Path) -> None:
    kill_often(tmp_path, 50)
