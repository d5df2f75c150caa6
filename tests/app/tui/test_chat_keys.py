"""Commands, keys and the palette of the chat, and the dialogs they open."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.tui.chatting import Make, running
from thoth.tui.widgets.hints import Hints


async def test_commands_complete_and_explain_themselves(fake: Make) -> None:
    async with running(fake()) as chat:
        chat.prompt.focus()
        await chat.pilot.press("slash", "c", "o")
        hints = chat.main.query_one(Hints)
        assert hints.display
        assert "/compare" in str(hints.render())
        await chat.pilot.press("m", "tab")
        assert chat.prompt.text == "/compare"
        await chat.send("/nonsense")
        assert "unknown command /nonsense" in chat.notices()
        assert chat.prompt.text == "/nonsense"
        await chat.send("/route sideways")
        assert "sideways is not allowed" in chat.notices()


async def test_route_and_passages_reach_the_engine(fake: Make) -> None:
    async with running(fake()) as chat:
        await chat.send("/route none")
        await chat.send("/with-text 3")
        await chat.ask("What?")
        assert (chat.engine.asked[0].routing.route, chat.engine.asked[0].routing.with_text) == ("none", 3)


DIALOGS = {
    "f1": "HelpScreen",
    "f2": "SettingsScreen",
    "ctrl+s": "SessionsScreen",
    "ctrl+o": "FilePicker",
    "ctrl+t": "CompareScreen",
    "ctrl+g": "AnswerDetails",
}


@pytest.mark.parametrize("close", ["escape", "ctrl+c"])
async def test_keys_open_dialogs_and_close_them(fake: Make, close: str) -> None:
    async with running(fake()) as chat:
        await chat.ask("What?")
        for key, screen in DIALOGS.items():
            if (screen, close) == ("FilePicker", "ctrl+c"):
                continue  # the path in it is marked, and Ctrl+C copies that
            await chat.pilot.press(key)
            await chat.until(lambda: type(chat.app.screen).__name__ == screen)  # noqa: B023
            await chat.pilot.pause()
            await chat.pilot.press(close)
            await chat.until(lambda: chat.app.screen is chat.main)
            assert chat.main.focused is chat.prompt


async def test_the_command_palette_opens_and_closes(fake: Make) -> None:
    async with running(fake()) as chat:
        await chat.pilot.press("ctrl+p")
        await chat.until(lambda: type(chat.app.screen).__name__ == "CommandPalette")
        await chat.pilot.press("escape")
        await chat.until(lambda: chat.app.screen is chat.main)
        assert chat.main.focused is chat.prompt


async def test_the_palette_offers_the_commands(fake: Make) -> None:
    async with running(fake()) as chat:
        await chat.ask("What?")
        await chat.pilot.press("ctrl+p", *"new chat")
        await chat.until(lambda: bool(chat.app.screen.query("CommandList").first().option_count))
        await chat.pilot.press("enter")
        await chat.until(lambda: chat.turns == [])


async def test_keys_can_be_configured(fake: Make, home: Path) -> None:
    made = fake()
    (home / "settings.toml").write_text('theme = "textual-light"\n[keys]\n"main.new" = "f9"\n')
    async with running(made) as chat:
        assert chat.app.theme == "textual-light"
        await chat.ask("What?")
        await chat.pilot.press("f9")
        assert chat.turns == []
