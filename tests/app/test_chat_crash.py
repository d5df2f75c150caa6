"""A chat outlives the processes that hold it: killed while its oldest turns become weights, it reopens whole."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.app.chat_worker import WINDOW, question
from thoth.actions import memory
from thoth.chats.sessions import Sessions
from thoth.library.library import Library
from thoth.models import registry


@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_in_the_middle_of_absorbing_turns(tiny_pair: Path, home: Path, tmp_path: Path, kills: int) -> None:
    chance, journal = random.Random(kills), tmp_path / "journal"
    bundle = registry.bundle_id(registry.choose(str(tiny_pair)))
    command = [sys.executable, "-m", "tests.app.chat_worker", str(tiny_pair)]
    root = Path(__file__).parents[2]
    killed_while_absorbing = 0
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as workers:
        assert workers.stdin
        assert workers.stdout
        for _ in range(kills):
            before = len(said(journal))
            child = begin(workers, home, journal, 10_000)
            # Somewhere behind a few answers, by chance while turns are absorbed.
            until = before + chance.randrange(1, 7)
            while len(said(journal)) <= until:
                time.sleep(0.001)
            time.sleep(chance.random() * 0.03)
            os.kill(child, signal.SIGKILL)
            assert int(workers.stdout.readline()) == signal.SIGKILL
            killed_while_absorbing += said(journal)[-1] == ["remember"]
            check(home, bundle, said(journal))
        turns = len(Sessions(home).turns(Sessions(home).find()[0].id)) + 3
        begin(workers, home, journal, turns)
        assert int(workers.stdout.readline()) == 0  # it goes on, and attaches what was absorbed
        assert said(journal)[-1] == ["end"]
        workers.stdin.close()
    assert killed_while_absorbing >= kills // 4
    sessions, library = Sessions(home), Library(home)
    session = sessions.find()[0]
    told = sessions.turns(session.id)
    assert len(told) == turns
    remembered = memory.known(library, sessions, bundle, session.id, told)
    held = memory.in_context(told, remembered)
    assert len(remembered.turns) >= turns - kills - 4  # all but the last and those that a kill left without an answer
    assert sum(len(f"{turn.question}{turn.answer}") for turn in held) < WINDOW * 8
    assert library.repair() == []


def begin(workers: "subprocess.Popen[str]", home: Path, journal: Path, turns: int) -> int:
    assert workers.stdin
    assert workers.stdout
    workers.stdin.write(json.dumps([str(home), str(journal), turns]) + "\n")
    workers.stdin.flush()
    return int(workers.stdout.readline())


def said(journal: Path) -> list[list[object]]:
    if not journal.exists():
        return []
    return [json.loads(line) for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]


def check(home: Path, bundle: str | None, journal: list[list[object]]) -> None:
    """Every answer that was given is in the chat; every turn is in the context or in the weights, and in no limbo."""
    sessions, library = Sessions(home), Library(home)
    if not (found := sessions.find()):
        return
    [session] = found
    turns = sessions.turns(session.id)
    assert len(turns) == session.turns
    answers = {entry[0]: entry[1] for entry in journal if len(entry) == 2}
    for number, answer in answers.items():
        assert isinstance(number, int)
        assert (turns[number].question, turns[number].answer, turns[number].state) == (
            question(number),
            answer,
            "done",
        )
    chat = session.id
    remembered = memory.known(library, sessions, bundle, chat, turns)
    answered = {turn.number for turn in turns if turn.answer.strip()}
    held = {turn.number for turn in memory.in_context(turns, remembered)}
    assert held | (remembered.turns & answered) == answered
    assert not held & remembered.turns
    absorbed = {one.id for one in library.known(sessions.documents(chat)) if one.complete}
    for turn in turns:
        if turn.number in remembered.turns:
            assert set(memory._ids(turn, bundle or "")) & absorbed
    # Nothing was absorbed that the chat does not know of: it would outlive the chat.
    folders = {path.name for path in (home / "documents").glob("*") if path.is_dir()}
    assert folders <= set(sessions.documents(chat))
