"""Chats on disk: what was stored is there, whatever happens to the process or the file."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from thoth.chats import chat_files
from thoth.chats.sessions import Sessions, Turn
from thoth.errors import DocumentError, ThothError, UsageError
from thoth.events import Chosen, Passage, Stats, Step

STATS = Stats(0, 12, 7, 0.0, 0.05, 99.5, 2, 16, 1 << 20, 0.01, 3, (Chosen("d", "a.pdf", 1, (2, 3), ("One",), 0.5),))
STEPS = (
    Step(0, "remember", {"kind": "text", "content": "`a`\n\nb"}, state="done"),
    Step(1, "list_documents", {}, state="stopped"),
)
SOURCES = (Passage("d", "a.pdf", 1, 2, ("One", "Two"), "The door is blue.", 0.9),)


def test_nothing_is_made_by_reading(home: Path) -> None:
    sessions = Sessions(home)
    assert sessions.find() == []
    assert sessions.questions() == []
    assert sessions.turns("nobody") == []
    assert not home.exists()


def test_what_is_put_comes_back_whole(home: Path) -> None:
    sessions = Sessions(home)
    session = sessions.create("What colour is\nthe door?", ["d", "e"])
    turn = Turn(0, "What colour is\nthe door?", "Blue é 🚪 \x00", "done", None, STATS, SOURCES)
    sessions.put(session, turn)
    sessions.close()
    (found,) = Sessions(home).find()
    assert (found.id, found.title, found.documents, found.turns) == (
        session.id,
        "What colour is the door?",
        ("d", "e"),
        1,
    )
    assert found.updated >= found.created == session.created
    assert Sessions(home).turns(session.id) == [turn]


def test_a_turn_replaces_the_one_with_its_number(home: Path) -> None:
    sessions = Sessions(home)
    session = sessions.create("Q")
    for turn in (Turn(0, "Q"), Turn(0, "Q", "half"), Turn(0, "Q", "whole", "done"), Turn(1, "R")):
        sessions.put(session, turn)
    assert [(turn.question, turn.answer, turn.state) for turn in sessions.turns(session.id)] == [
        ("Q", "whole", "done"),
        ("R", "", "stopped"),  # nobody is answering it any more
    ]


def test_long_titles_are_cut_and_text_that_is_no_unicode_is_mended(home: Path) -> None:
    sessions = Sessions(home)
    session = sessions.create("word " * 50)
    assert len(session.title) <= 60
    sessions.put(sessions.create("\ud800"), Turn(0, "\ud800", "\udfff"))
    assert [turn.question for turn in sessions.turns(sessions.find()[0].id)] == ["?"]
    failed = Turn(1, "And?", "", "failed", error="cannot read a\udcff.pdf", model="/pairs/\udcff")
    sessions.put(session, failed)
    assert [turn.error for turn in sessions.turns(session.id)] == ["cannot read a?.pdf"]
    assert [one.id for one in sessions.find("\udcff")] == [one.id for one in sessions.find("?")]
    with pytest.raises(DocumentError, match=r"no chat 'x\?'"):
        sessions.named("x\udcff")


def test_finding_by_words_anywhere_in_a_chat(home: Path) -> None:
    sessions = Sessions(home)
    harbour, mill = sessions.create("The harbour"), sessions.create("The mill")
    sessions.put(harbour, Turn(0, "Who built it?", "Ana DOR did."))
    sessions.put(mill, Turn(0, "Who painted it?", "100% Über_Jan."))
    sessions.put(mill, Turn(1, "When?", "In May."))

    def titles(words: str) -> list[str]:
        return [session.title for session in sessions.find(words)]

    assert titles("") == ["The mill", "The harbour"]  # the latest first
    assert titles("dor") == ["The harbour"]
    assert titles("WHO built") == ["The harbour"]
    assert titles("über may") == ["The mill"]
    assert titles("mill dor") == []
    assert titles("100% r_j") == ["The mill"]
    assert titles("a%r") == []
    assert titles("'; DROP TABLE turn; --") == []


def test_renaming_and_removing(home: Path) -> None:
    sessions = Sessions(home)
    session = sessions.create("Q")
    sessions.put(session, Turn(0, "Q", "A", "done"))
    sessions.rename(session.id, "Better")
    assert sessions.get(session.id).title == "Better"
    sessions.put(session, Turn(1, "R"))
    assert sessions.get(session.id).title == "Better"  # a title is not taken back by the chat that goes on
    sessions.remove(session.id)
    assert sessions.find() == []
    assert sessions.turns(session.id) == []
    with pytest.raises(DocumentError, match="deleted"):
        sessions.get(session.id)


def test_the_last_questions_each_once(home: Path) -> None:
    sessions = Sessions(home)
    session = sessions.create("Q")
    for number, question in enumerate(["one", "two", "one", "three"]):
        sessions.put(session, Turn(number, question))
    assert sessions.questions() == ["two", "one", "three"]
    assert sessions.questions(1) == ["three"]


CHILD = """
import itertools, sys
from pathlib import Path
from thoth.chats.sessions import Sessions, Turn
sessions = Sessions(Path(sys.argv[1]))
for number in itertools.count():
    session = sessions.create(f"chat {number}")
    for turn in range(3):
        sessions.put(session, Turn(turn, f"question {turn}", f"answer {turn}", "done"))
        print(session.id, turn, flush=True)
"""


def test_what_was_reported_stored_survives_kill_9(home: Path) -> None:
    reported: set[tuple[str, str]] = set()
    for lines in (1, 2, 5, 9):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(home)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for _ in range(lines):
            id, turn = child.stdout.readline().split()
            reported.add((id, turn))
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
        reported |= {(id, turn) for id, turn in (line.split() for line in rest.splitlines() if line.count(" ") == 1)}
        child.wait()
        sessions = Sessions(home)
        stored = {(session.id, str(turn.number)) for session in sessions.find() for turn in sessions.turns(session.id)}
        assert reported <= stored
        sessions.close()


def test_two_processes_at_once(home: Path) -> None:
    mine = Sessions(home)
    session = mine.create("mine")
    mine.put(session, Turn(0, "first"))
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(home)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    for number in range(1, 20):
        mine.put(session, Turn(number, f"{number}"))
    child.kill()
    child.wait()
    child.stdout.close()
    assert len(mine.turns(session.id)) == 20
    assert len(mine.find()) > 1


def test_two_processes_in_one_chat_lose_no_turn(home: Path) -> None:
    ours, theirs = Sessions(home), Sessions(home)
    session = ours.create("First?")
    ours.put(session, Turn(0, "First?", "One."))
    assert len(theirs.turns(session.id)) == 1
    theirs.put(session, Turn(1, "Theirs?"))
    ours.put(session, Turn(1, "Ours?"))
    theirs.put(session, Turn(1, "Theirs?", "Two."))
    ours.put(session, Turn(1, "Ours?", "Three."))
    ours.put(session, Turn(2, "Last?"))
    ours.put(session, Turn(2, "Edited?"))  # in place of the last question
    told = [(turn.number, turn.question, turn.answer) for turn in Sessions(home).turns(session.id)]
    assert told == [(0, "First?", "One."), (1, "Theirs?", "Two."), (2, "Ours?", "Three."), (3, "Edited?", "")]


def test_a_chat_that_was_deleted_while_it_was_answered_continues(home: Path) -> None:
    ours = Sessions(home)
    session = ours.create("First?")
    for number in range(3):
        ours.put(session, Turn(number, f"{number}?"))
    Sessions(home).remove(session.id)
    ours.put(session, Turn(2, "2?", "Two."))
    again = Sessions(home)
    assert [turn.number for turn in again.turns(session.id)] == [0]
    again.put(session, Turn(1, "Next?"))
    assert [turn.question for turn in Sessions(home).turns(session.id)] == ["2?", "Next?"]


@pytest.mark.parametrize(
    "content", [b"not a database at all, but longer than a header" * 20, b"SQLite format 3\x00rest"]
)
def test_a_damaged_database_is_explained_and_left_alone(home: Path, content: bytes) -> None:
    home.mkdir()
    (home / "sessions.db").write_bytes(content)
    sessions = Sessions(home)
    with pytest.raises(ThothError, match="move it away"):
        sessions.find()
    with pytest.raises(ThothError, match="move it away"):
        sessions.put(sessions.create("Q"), Turn(0, "Q"))
    assert (home / "sessions.db").read_bytes() == content


def test_a_newer_database_is_refused(home: Path) -> None:
    sessions = Sessions(home)
    sessions.put(sessions.create("Q"), Turn(0, "Q"))
    sessions.close()
    with sqlite3.connect(home / "sessions.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ThothError, match="newer Thoth"):
        Sessions(home).find()


def test_a_chat_as_markdown_and_json(home: Path, tmp_path: Path) -> None:
    session = Sessions(home).create("Title")
    turns = [
        Turn(0, "First?\nmore of it", "The **door**.", "done", None, STATS, SOURCES, model="nano"),
        Turn(1, "Second?", "Half", "stopped", steps=STEPS),
        Turn(2, "Third?", "", "failed", "no memory"),
    ]
    when = [f"{moment.astimezone():%Y-%m-%d %H:%M}" for moment in (session.created, *(turn.asked for turn in turns))]
    chat_files.write(tmp_path / "chat.md", session, turns)
    assert (tmp_path / "chat.md").read_text() == (
        f"# Title\n\n*{when[0]}*\n\n## First?\n\nmore of it\n\n*{when[1]}, nano*\n\nThe **door**.\n\n"
        f"> The door is blue.\n>\n> a.pdf, page 2, One > Two\n\n"
        f"## Second?\n\n*{when[2]}*\n\n- `remember(text, 'a' b)`: done\n- `list_documents()`: stopped\n\n"
        f"Half\n\n*stopped*\n\n## Third?\n\n*{when[3]}*\n\n*no memory*\n"
    )
    chat_files.write(tmp_path / "chat.JSON", session, turns)
    read = json.loads((tmp_path / "chat.JSON").read_text())
    assert read["title"] == "Title"
    assert read["turns"][0]["stats"]["chunks"][0]["pages"] == [2, 3]
    assert [turn["state"] for turn in read["turns"]] == ["done", "stopped", "failed"]


def test_a_chat_is_written_nowhere_else(home: Path, tmp_path: Path) -> None:
    session = Sessions(home).create("Title")
    (tmp_path / "there.md").write_text("precious")
    with pytest.raises(UsageError, match="already"):
        chat_files.write(tmp_path / "there.md", session, [])
    with pytest.raises(UsageError, match=r"\.md or \.json"):
        chat_files.write(tmp_path / "chat.txt", session, [])
    (tmp_path / "file").write_text("")
    with pytest.raises(ThothError, match="another place"):
        chat_files.write(tmp_path / "file" / "chat.md", session, [])
    assert (tmp_path / "there.md").read_text() == "precious"


def test_turns_can_be_replaced_as_a_whole(home: Path) -> None:
    sessions = Sessions(home)
    session = sessions.create("Q")
    turn = Turn(0, "Q", "A", "done", None, STATS, SOURCES)
    sessions.put(session, turn)
    sessions.put(session, replace(turn, answer="", state="answering", stats=None, sources=()))
    (found,) = sessions.turns(session.id)
    assert (found.answer, found.stats, found.sources) == ("", None, ())
