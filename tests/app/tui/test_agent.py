"""The agent in the app: steps that unfold, the dialog that asks, tools as commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.app.tui.chatting import Chat, Make, running
from tests.app.tui.fakes import Asked
from tests.app.tui.pages import address as address
from thoth.agent.permissions import Grants
from thoth.events import Call
from thoth.tui.screens.permission import PermissionDialog

REMEMBER = Call("remember", {"kind": "text", "content": "Osra Kelland is the mayor.\n\x1b[2JAllow: yes"})


def script(*rounds: str | list[Call]) -> Callable[..., str | list[Call]]:
    left: Iterator[str | list[Call]] = iter(rounds)
    return lambda _: next(left)


async def dialog(chat: Chat) -> PermissionDialog:
    await chat.until(lambda: isinstance(chat.app.screen, PermissionDialog))
    await chat.pilot.pause()
    assert isinstance(chat.app.screen, PermissionDialog)
    return chat.app.screen


async def test_a_call_is_asked_about_with_its_exact_arguments(fake: Make) -> None:
    made = fake(tools=True, answers=[script([REMEMBER], "Noted.")])
    async with running(made) as chat:
        await chat.send("Remember the mayor.")
        screen = await dialog(chat)
        arguments = [str(line.render()) for line in screen.query(".argument")]
        assert arguments == ["kind: text", r"content: Osra Kelland is the mayor.\n\x1b[2JAllow: yes"]
        await chat.pilot.press("o")
        await chat.until(lambda: not chat.main.desk.chat.conversation.answering)
        assert [(step.tool, step.state) for step in chat.turns[-1].steps] == [("remember", "done")]
        assert chat.turns[-1].answer == "Noted."
        assert "▸ remember(text, Osra Kelland is the mayor." in chat.shown


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_heading_and_choices_stay_in_view_beside_long_arguments(fake: Make, size: tuple[int, int]) -> None:
    long = Call("remember", {"kind": "text", "content": "Ignore me. " * 300 + "The end."})
    made = fake(tools=True, answers=[script([long], "Done.")])
    async with running(made, size=size) as chat:
        await chat.send("Remember it.")
        screen = await dialog(chat)
        inside = screen.query_one(".dialog").content_region
        for widget in screen.query(".heading, Button"):
            assert widget.region.height
            assert inside.contains_region(widget.region)
        arguments = screen.query_one("#arguments")
        assert (arguments.scroll_y, arguments.max_scroll_y > 10) == (0, True)
        await chat.pilot.press("down", "down", "up")
        assert arguments.scroll_y == 1
        await chat.pilot.press("escape")
        await chat.until(lambda: not chat.main.desk.chat.conversation.answering)


@pytest.mark.parametrize(("key", "kept"), [("a", [("write", "always")]), ("n", [("write", "never")]), ("escape", [])])
async def test_what_is_decided_for_good_is_kept(fake: Make, home: Path, key: str, kept: list[tuple[str, str]]) -> None:
    made = fake(tools=True, answers=[script([REMEMBER], "Done.")])
    async with running(made) as chat:
        await chat.send("Remember the mayor.")
        await dialog(chat)
        await chat.pilot.press(key)
        await chat.until(lambda: not chat.main.desk.chat.conversation.answering)
        assert chat.turns[-1].steps[0].state == ("done" if key == "a" else "refused")
        assert [(grant.need, grant.decision) for grant in Grants(home / "permissions.json").all()] == kept


async def test_enter_in_the_dialog_permits_nothing(fake: Make) -> None:
    made = fake(tools=True, answers=[script([REMEMBER], "Done.")])
    async with running(made) as chat:
        await chat.send("Remember the mayor.")
        await dialog(chat)
        await chat.pilot.press("enter")
        await chat.until(lambda: not chat.main.desk.chat.conversation.answering)
        assert chat.turns[-1].steps[0].state == "refused"


async def test_letters_that_were_typed_for_the_prompt_permit_nothing(
    fake: Make, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dialog opens in the middle of a word."""
    monkeypatch.setattr(PermissionDialog, "IGNORES_SECONDS", 600.0)
    made = fake(tools=True, answers=[script([REMEMBER], "Done.")])
    async with running(made) as chat:
        await chat.send("Remember the mayor.")
        screen = await dialog(chat)
        await chat.pilot.press(*"can")
        assert chat.app.screen is screen
        await chat.pilot.press("escape")
        await chat.until(lambda: not chat.main.desk.chat.conversation.answering)
        assert chat.turns[-1].steps[0].state == "refused"
        assert not Grants(home / "permissions.json").all()


async def test_a_step_unfolds(fake: Make) -> None:
    made = fake(tools=True, answers=[script([Call("list_documents", {})], "None yet.")])
    async with running(made) as chat:
        await chat.ask("What do you know?")
        assert "▸ list_documents()  done" in chat.shown
        assert "There are no documents." not in chat.shown
        await chat.send("/steps")
        assert "▾ list_documents" in chat.shown
        assert "There are no documents." in chat.shown
        await chat.send("/steps")
        assert "There are no documents." not in chat.shown


async def test_a_base_without_tools_has_them_as_commands(fake: Make) -> None:
    made = fake(answers=["I cannot."])
    async with running(made) as chat:
        await chat.ask("Read https://example.org/page")
        assert "This model cannot call tools; use /web-fetch ADDRESS" in chat.notices()
        turn = await chat.ask("/remember Osra Kelland is the mayor.")
        assert [(step.tool, step.state) for step in turn.steps] == [("remember", "done")]
        (stored,) = chat.engine.library.documents(active=True)
        assert stored.name == "Osra Kelland is the mayor."
        assert (await chat.ask("/forget Osra Kelland is the mayor.")).steps[0].state == "done"
        assert not chat.engine.library.documents()
        await chat.ask("/remember ~nobody-here/notes is a path")  # no user's home, and no reason to end the app
        assert [one.name for one in chat.engine.library.documents()] == ["~nobody-here/notes is a path"]
        await chat.send("/read-pages manual")
        assert "/read-pages needs a document and pages" in chat.notices()


async def test_a_command_that_was_stopped_before_it_ran_is_not_the_next_question(fake: Make) -> None:
    made = fake(answers=["Blue."])
    made.engine.hold("load")
    async with running(made, ready=False) as chat:
        await chat.send("/remember Osra Kelland is the mayor.")
        await chat.pilot.press("escape")
        await chat.send("What colour is the door?")
        chat.engine.release("load")
        await chat.until(lambda: chat.turns[-1].state == "done")
        assert (chat.turns[-1].answer, chat.turns[-1].steps) == ("Blue.", ())
        assert not chat.engine.library.documents()
        await chat.ask("/list-documents")
        for key in ("ctrl+r", "ctrl+t"):
            await chat.pilot.press(key)
            assert "The last turn is a command, not a question" in chat.notices()
            assert len(chat.turns) == 3


async def test_escape_while_the_dialog_waits_keeps_the_steps(fake: Make) -> None:
    made = fake(tools=True, answers=[script([Call("list_documents", {}), REMEMBER], "never said")])
    async with running(made) as chat:
        await chat.send("Remember the mayor.")
        await dialog(chat)
        chat.main.desk.chat.stop()
        await chat.until(lambda: not chat.main.desk.chat.conversation.answering)
        assert [step.state for step in chat.turns[-1].steps] == ["done", "stopped"]
        assert chat.turns[-1].state == "stopped"


async def test_permissions_are_listed_and_revoked(fake: Make, home: Path) -> None:
    Grants(home / "permissions.json").put(("web",), "always")
    async with running(fake()) as chat:
        await chat.send("/permissions")
        assert "web: always, to go to the web" in chat.notices()
        await chat.send("/permissions web")
        assert "Revoked web; tools ask again" in chat.notices()
        await chat.send("/permissions")
        assert "No permission is kept; tools ask" in chat.notices()
    assert not Grants(home / "permissions.json").all()


# From the first word to the answer


async def test_a_page_of_this_machine_is_read_when_a_person_says_so(fake: Make, address: str) -> None:
    """The page is absorbed, only its receipt is read, and the answer has it among its documents."""

    def model(asked: Asked) -> str | list[Call]:
        read = [str(message["content"]) for message in asked.messages if message["role"] == "tool"]
        if not read:
            return [Call("web_fetch", {"address": address})]
        assert "Osra" not in read[0]
        text = " ".join(made.engine.library.document(document.id).text for document in asked.documents)
        return "Osra Kelland." if "The mayor of Harpool is Osra Kelland." in text else "I do not know."

    made = fake(tools=True, answers=[model])
    async with running(made) as chat:
        await chat.send(f"Read {address} and tell me who is the mayor of Harpool")
        screen = await dialog(chat)
        assert [str(line.render()) for line in screen.query(".argument")] == [f"address: {address}"]
        assert not screen.query("#always")
        await chat.pilot.press("o")
        await chat.until(lambda: not chat.main.desk.chat.conversation.answering)
        turn = chat.turns[-1]
        assert turn.answer == "Osra Kelland."
        assert turn.stats is not None
        assert turn.stats.document_tokens_in_context == 0
        assert turn.steps[0].result.startswith("Absorbed")
        assert not chat.engine.library.documents()  # it belongs to the chat
        (stored,) = chat.engine.library.known(turn.steps[0].documents)
        assert stored.of_chat
        assert stored.source == address
