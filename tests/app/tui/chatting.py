"""The chat in a test: a running app, and what a person sees and does in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from tests.app.tui.conftest import Fake
from tests.app.tui.hosts import until
from thoth.chats.sessions import Turn
from thoth.tui.screens.main import MainScreen
from thoth.tui.widgets.prompt import Prompt
from thoth.tui.widgets.status import StatusLine
from thoth.tui.widgets.transcript import Transcript

Make = Callable[..., Fake]


class Chat:
    """A running app, and what a person sees and does."""

    def __init__(self, fake: Fake, pilot: Pilot[None]) -> None:
        self.engine, self.app, self.pilot = fake.engine, fake.app, pilot
        screen = fake.app.screen_stack[0]
        assert isinstance(screen, MainScreen)
        self.main = screen

    @property
    def turns(self) -> list[Turn]:
        return self.main.desk.chat.conversation.turns

    @property
    def prompt(self) -> Prompt:
        return self.main.query_one(Prompt)

    @property
    def status(self) -> str:
        return self.main.query_one(StatusLine).render().plain

    @property
    def shown(self) -> str:
        """The lines of the transcript in view."""
        transcript = self.main.query_one(Transcript)
        return "\n".join(transcript.render_line(y).text.rstrip() for y in range(transcript.size.height))

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(self.pilot, condition)

    async def ready(self) -> None:
        await self.until(lambda: self.main.desk.models.state == "ready")

    async def send(self, text: str) -> None:
        self.prompt.focus()
        self.prompt.replace_text(text)
        await self.pilot.press("enter")
        await self.pilot.pause()

    async def ask(self, text: str) -> Turn:
        await self.send(text)
        await self.until(lambda: bool(self.turns) and not self.main.desk.chat.conversation.answering)
        await self.pilot.pause()
        return self.turns[-1]

    def notices(self) -> str:
        return "\n".join(str(notice.message) for notice in self.app._notifications)


@asynccontextmanager
async def running(fake: Fake, size: tuple[int, int] = (100, 30), *, ready: bool = True) -> AsyncIterator[Chat]:
    async with fake.app.run_test(size=size) as pilot:
        chat = Chat(fake, pilot)
        if ready:
            await chat.ready()
        yield chat
