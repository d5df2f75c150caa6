"""How the chat and the list of chats look: pictures to compare with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from tests.app.tui.chatting import Chat
from tests.app.tui.conftest import Fake
from tests.app.tui.hosts import Host, until
from thoth.chats.sessions import Sessions, Turn
from thoth.events import Passage
from thoth.ingest import Document
from thoth.tui.screens.sessions import SessionsScreen

AT = datetime(2026, 2, 1, 12, tzinfo=UTC)
ANSWER = """The mill was built by **Ana Dor**.

## Its parts

1. the *wheel*
2. the `stone`

| part | year |
|---|---|
| wheel | 1802 |

```python
print("grind")
```
"""


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["narrow", "wide"])
def test_how_the_chat_looks(fake: Callable[..., Fake], size: tuple[int, int], snap_compare: Any) -> None:
    source = Passage("id", "mill.txt", 0, None, (), "Ana Dor built the mill.", 0.9)
    made = fake(answers=[ANSWER], sources=(source,))
    for _ in made.engine.absorb(Document("mill.txt", "Ana Dor built the mill. It stands by the river.")):
        pass

    async def asked(pilot: Pilot[None]) -> None:
        chat = Chat(made, pilot)
        await chat.ready()
        chat.prompt.cursor_blink = False
        await chat.until(lambda: len(chat.main.documents) == 1)
        await chat.ask("Who built the mill?")
        await pilot.press("slash", "c", "o")

    assert snap_compare(made.app, terminal_size=size, run_before=asked)


def test_how_the_chats_look(home: Path, snap_compare: Any) -> None:
    sessions = Sessions(home)
    for title in ("Who built the mill?", "A [bold]title[/] with 😀", "The harbour"):
        sessions.put(sessions.create(title), Turn(0, title, "An answer.", "done"))
    found = sessions.find()
    # Stored times are those of the test; the list shows how long ago they were.
    sessions.find = lambda _="": [replace(session, updated=AT) for session in found]  # type: ignore[method-assign]
    app = Host(SessionsScreen(sessions, found[0], lambda: AT))

    async def listed(pilot: Pilot[None]) -> None:
        app.screen.query_one(Input).cursor_blink = False
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count == 3)

    assert snap_compare(app, terminal_size=(80, 24), run_before=listed)
