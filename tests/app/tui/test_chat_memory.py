"""A chat that is longer than its window: its oldest turns leave the context, and the meter says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.tui.chatting import Make, running
from thoth.chats.sessions import Sessions
from thoth.errors import ResourceError
from thoth.library.library import Library

pytestmark = pytest.mark.asyncio

FACTS = [
    "The founder of Velmar is Ana Dor.",
    "The mayor of Tolquin is Berin Asto.",
    "The river of Velmar is the Voraw.",
]


async def test_the_oldest_turns_become_weights(fake: Make, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOTH_AGENT_WINDOW", "24")  # words, for the fake
    async with running(fake(answers=["Noted, thank you."]), size=(160, 30)) as chat:
        for fact in FACTS:
            await chat.ask(fact)
            await chat.pilot.pause()
        assert "context 12 of 24" in chat.status
        await chat.until(lambda: len(chat.main.desk.chat.memory.remembered.turns) == 2)
        await chat.until(lambda: "absorbed 18" in chat.status)  # two documents of three chunks of three tokens
        asked = await chat.ask("Tell me more about the Voraw in Velmar?")
        assert asked.state == "done"
        said = [message["content"] for message in chat.engine.asked[-1].messages]
        assert said == [FACTS[2], "Noted, thank you.", asked.question]
        remembered = [document.name[:9] for document in chat.engine.asked[-1].documents]
        assert remembered == ["this chat", "this chat"]
        assert chat.main.documents == []  # the library lists them not
        session = chat.main.desk.chat.conversation.session
        assert session is not None
        await chat.send("/new")
        assert "absorbed" not in chat.status
        assert "of 24" not in chat.status
        assert [turn.question for turn in Sessions(home).turns(session.id)] == [*FACTS, asked.question]
        # Resumed, it is as it was; deleted, nothing of it stays.
        await chat.pilot.press("ctrl+s")
        await chat.pilot.pause()
        await chat.pilot.press("enter")
        await chat.until(lambda: len(chat.main.desk.chat.memory.remembered.turns) >= 2)
        assert "absorbed" in chat.status
        await chat.send("/new")
        chat.main.desk.chat._delete(session.id)
        assert Sessions(home).find() == []
        assert not any(path.suffix == ".safetensors" for path in (home / "documents").glob("*/*"))
    assert Library(home).documents() == []


async def test_off_by_a_switch(fake: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOTH_AGENT_WINDOW", "6")
    monkeypatch.setenv("THOTH_AGENT_MEMORY", "off")
    async with running(fake(), size=(160, 30)) as chat:
        for fact in FACTS:
            await chat.ask(fact)
        await chat.pilot.pause()
        assert chat.engine.absorbed == []
        assert "context 12 tokens  " in chat.status  # of all there is
        await chat.ask("And what else?")
        assert len(chat.engine.asked[-1].messages) == 7


async def test_turns_that_cannot_be_absorbed_stay(fake: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise ResourceError("the disk is full; make room")

    monkeypatch.setenv("THOTH_AGENT_WINDOW", "6")
    monkeypatch.setattr("thoth.actions.memory.chats.begin_absorbing", full)
    async with running(fake(), size=(160, 30)) as chat:
        for fact in FACTS[:2]:
            await chat.ask(fact)
        await chat.until(lambda: "The oldest turns stay in the context: the disk is full" in chat.notices())
        await chat.ask("And what else?")
        assert len(chat.engine.asked[-1].messages) == 5
        await chat.pilot.pause()
        assert chat.notices().count("The oldest turns stay") == 1


async def test_a_system_prompt_of_the_chat(fake: Make, home: Path) -> None:
    async with running(fake()) as chat:
        await chat.send("/system")
        assert "This chat has no system prompt" in chat.notices()
        await chat.send("/system Answer in one word.")
        await chat.ask("Who is it?")
        assert chat.engine.asked[-1].messages[0] == {"role": "system", "content": "Answer in one word."}
        await chat.until(lambda: len(Sessions(home).find()) == 1)
        assert Sessions(home).find()[0].system == "Answer in one word."
        await chat.send("/system off")
        await chat.ask("Who is it?")
        assert chat.engine.asked[-1].messages[0]["role"] == "user"
        await chat.send("/new")
        assert chat.main.desk.chat.conversation.system is None
