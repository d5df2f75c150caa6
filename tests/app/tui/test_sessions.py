"""Chats that are kept: found, resumed, renamed, deleted, written to files; and what a crash leaves of them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from textual.widgets import Input, OptionList, Static

from tests.app.tui.chatting import running
from tests.app.tui.conftest import Fake
from tests.app.tui.hosts import Host, until
from thoth.chats.sessions import Session, Sessions, Turn
from thoth.errors import ThothError
from thoth.events import Passage, Step
from thoth.ingest import Document
from thoth.tui.conversation import Conversation
from thoth.tui.screens.answer_details import AnswerDetails
from thoth.tui.screens.sessions import SessionsScreen, age

Make = Callable[..., Fake]


def kept(home: Path, **chats: str) -> Sessions:
    """Sessions with one question each."""
    sessions = Sessions(home)
    for title, answer in chats.items():
        sessions.put(sessions.create(title), Turn(0, title, answer, "done"))
    return sessions


async def absorbed(fake: Fake, *texts: str) -> list[str]:
    """Ids of documents in the library, none of them active."""
    for text in texts:
        for _ in fake.engine.absorb(Document(f"{text}.txt", f"{text} is a word, and this is a sentence.")):
            pass
    ids = {document.name: document.id for document in fake.app.library.documents()}
    fake.app.library.activate(ids.values(), False)
    return [ids[f"{text}.txt"] for text in texts]


async def test_a_chat_is_resumed_with_its_documents(fake: Make) -> None:
    source = Passage("id", "alpha.txt", 0, None, (), "alpha is a word", 0.8)
    made = fake(answers=["**First** answer.", "Second."], sources=(source,))
    alpha, beta = await absorbed(made, "alpha", "beta")
    made.app.library.activate([alpha], True)
    async with running(made) as chat:
        await chat.until(lambda: len(chat.main.documents) == 2)
        await chat.ask("About alpha?")
        await chat.pilot.press("ctrl+n")
        assert "About alpha?" not in chat.shown
        made.app.library.activate([alpha], False)
        made.app.library.activate([beta], True)
        chat.main.desk.library.refresh()
        await chat.until(lambda: [d.name for d in chat.main.documents if d.active] == ["beta.txt"])

        await chat.pilot.press("ctrl+s")
        await chat.until(lambda: isinstance(chat.app.screen, SessionsScreen))
        await chat.until(lambda: chat.app.screen.query_one(OptionList).option_count == 1)
        await chat.pilot.press("enter")
        await chat.until(lambda: [d.name for d in chat.main.documents if d.active] == ["alpha.txt"])
        assert "First answer." in chat.shown
        await chat.pilot.press("ctrl+g")
        await chat.until(lambda: isinstance(chat.app.screen, AnswerDetails))
        await chat.pilot.press("escape")
        await chat.ask("And then?")
        assert [message["content"] for message in chat.engine.asked[-1].messages] == (
            ["About alpha?", "**First** answer.", "And then?"]
        )
        assert len(made.app.sessions.find()) == 1


async def test_what_a_killed_app_leaves(fake: Make, home: Path) -> None:
    made = fake(answers=["one two three four"])
    made.engine.hold("answer")
    async with running(made) as chat:
        await chat.send("Count.")
        chat.engine.release("answer", 2)
        await chat.until(lambda: chat.turns[-1].answer == "one two")

        def on_disk() -> list[tuple[str, str]]:
            if not (home / "sessions.db").exists():
                return []
            with sqlite3.connect(home / "sessions.db") as connection:
                return connection.execute("SELECT question, answer FROM turn").fetchall()

        await chat.until(lambda: on_disk() == [("Count.", "one two")])  # while it is still being answered
        other = Sessions(home)
        assert [turn.state for turn in other.turns(other.find()[0].id)] == ["stopped"]


async def test_leaving_in_the_middle_of_an_answer_keeps_it(fake: Make, home: Path) -> None:
    made = fake(answers=["one two three four"])
    made.engine.hold("answer")
    async with running(made) as chat:
        await chat.send("Count.")
        chat.engine.release("answer", 3)
        await chat.until(lambda: chat.turns[-1].answer == "one two three")
    sessions = Sessions(home)
    (turn,) = sessions.turns(sessions.find()[0].id)
    assert (turn.answer, turn.state) == ("one two three", "stopped")


def test_a_bug_in_storing_a_chat_is_said_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("surprise")

    sessions, said = Sessions(home), list[ThothError]()
    monkeypatch.setattr(sessions, "put", fail)
    conversation = Conversation(sessions, said.append)
    conversation.send("Who?", [])
    conversation.send("And?", [])
    conversation.close()
    assert ["error.log" in str(error) for error in said] == [True]


def test_leaving_in_the_middle_of_a_tool_stops_its_step(home: Path) -> None:
    sessions = Sessions(home)
    conversation = Conversation(sessions, lambda _: None)
    conversation.send("Read it.", [])
    conversation.step(Step(0, "web_fetch", {}, state="running"))
    conversation.close()
    (turn,) = sessions.turns(sessions.find()[0].id)
    assert (turn.state, [step.state for step in turn.steps]) == ("stopped", ["stopped"])


async def test_a_chat_that_cannot_be_kept_goes_on(fake: Make, home: Path) -> None:
    made = fake()
    (home / "sessions.db").write_bytes(b"this is no database" * 100)
    async with running(made) as chat:
        await chat.send("Still there?")
        await chat.until(lambda: "not saved" in chat.notices())  # before the answer, and not for long
        await chat.until(lambda: not chat.main.desk.chat.conversation.answering)
        assert chat.turns[-1].state == "done"


async def test_exporting_a_chat(fake: Make, tmp_path: Path) -> None:
    async with running(fake()) as chat:
        await chat.send(f"/export {tmp_path / 'chat.md'}")
        assert "Nothing to export" in chat.notices()
        await chat.ask("What?")
        await chat.send(f"/export {tmp_path / 'a chat.json'}")
        await chat.until(lambda: "Wrote" in chat.notices())
        assert json.loads((tmp_path / "a chat.json").read_text())["turns"][0]["question"] == "What?"


async def test_chats_are_found_renamed_and_deleted(home: Path) -> None:
    sessions = kept(home, harbour="It was built by Ana.", mill="It grinds.", tower="It leans.")
    app = Host(SessionsScreen(sessions))
    async with app.run_test(size=(80, 24)) as pilot:
        chats = app.screen.query_one(OptionList)
        await until(pilot, lambda: chats.option_count == 3)
        await pilot.press(*"ana")
        await until(pilot, lambda: chats.option_count == 1)
        await pilot.press("f2")
        await until(pilot, lambda: app.screen is not app.dialog)
        app.screen.query_one(Input).value = "The old harbour"
        await pilot.press("enter")
        await until(pilot, lambda: sessions.find("ana")[0].title == "The old harbour")
        await until(pilot, lambda: "The old harbour" in str(chats.get_option_at_index(0).prompt))

        app.screen.query_one(Input).value = ""
        await until(pilot, lambda: chats.option_count == 3)
        await pilot.press("down", "delete")
        await until(pilot, lambda: app.screen is not app.dialog)
        await pilot.press("n")
        await until(pilot, lambda: app.screen is app.dialog)
        assert len(sessions.find()) == 3
        await pilot.press("delete")
        await until(pilot, lambda: app.screen is not app.dialog)
        await pilot.press("y")
        await until(pilot, lambda: chats.option_count == 2)
        assert [session.title for session in sessions.find()] == ["tower", "The old harbour"]
        await pilot.press("enter")
        await until(pilot, lambda: bool(app.results))
        assert app.results[0] in sessions.find()


async def test_enter_resumes_a_chat_with_the_words_that_were_typed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words and Enter come faster than the search: the list is still that of fewer words."""
    sessions = kept(home, harbour="It was built by Ana.", mill="It grinds.")
    app = Host(SessionsScreen(sessions))
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count == 2)
        asked = threading.Event()
        find = sessions.find

        def slowly(words: str) -> list[Session]:
            asked.wait(60)
            return find(words)

        monkeypatch.setattr(sessions, "find", slowly)
        pilot.app.set_timer(0.2, asked.set)
        await pilot.press(*"ana", "enter")
        await until(pilot, lambda: bool(app.results))
        assert [session.title for session in app.results] == ["harbour"]  # type: ignore[attr-defined]


async def test_the_chat_that_goes_on_is_not_deleted(home: Path) -> None:
    sessions = kept(home, mill="It grinds.")
    app = Host(SessionsScreen(sessions, sessions.find()[0]))
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count == 1)
        assert "this chat" in str(app.screen.query_one(OptionList).get_option_at_index(0).prompt)
        await pilot.press("delete")
        await until(pilot, lambda: "current chat" in str(app.screen.query_one(Static).render()))
        await pilot.press("enter")
        await until(pilot, lambda: bool(app.results))
        assert app.results == [None]


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(0, "just now"), (-5, "just now"), (59, "59 min ago"), (60, "1 h ago"), (1500, "1 d ago"), (20_000, "2026-01-18")],
)
def test_ages(minutes: int, text: str) -> None:
    at = datetime(2026, 2, 1, 12, tzinfo=UTC)
    assert age(at - timedelta(minutes=minutes), at) == text


async def test_a_list_that_is_closed_while_it_is_searched_resumes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions, go = kept(home, harbour="Blue."), threading.Event()
    find = sessions.find
    monkeypatch.setattr(sessions, "find", lambda words="": find(words) if not words or go.wait(60) else [])
    app = Host(SessionsScreen(sessions))
    async with app.run_test() as pilot:
        screen = app.screen
        assert isinstance(screen, SessionsScreen)
        await until(pilot, lambda: screen.query_one(OptionList).option_count == 1)
        screen.query_one(Input).value = "har"
        entered = asyncio.create_task(screen._submitted())
        await asyncio.sleep(0)
        screen.dismiss(None)
        go.set()
        await entered
        await until(pilot, lambda: bool(app.results))
    assert app.results == [None]
