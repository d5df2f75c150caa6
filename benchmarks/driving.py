"""The real app in a terminal that is not there, driven as a person would: keys, pastes, and looking at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from textual import events
from textual.message import Message
from textual.pilot import Pilot

from thoth.errors import ThothError
from thoth.events import Answer
from thoth.library.library import Library
from thoth.library.records import StoredDocument
from thoth.tui import app
from thoth.tui.app import ThothApp, make_engine
from thoth.tui.engine_request import EngineLike
from thoth.tui.messages import AbsorbDone, AbsorbFailed, AnswerDone, AnswerFailed, ModelFailed, ModelReady
from thoth.tui.screens.main import MainScreen
from thoth.tui.widgets.prompt import Prompt
from thoth.tui.widgets.transcript import Transcript

Kind = TypeVar("Kind", bound=Message)

_LOOK_SECONDS = 0.01
PATIENCE_SECONDS = 120  # then something is broken, and waiting ends with an error


class DrivenApp(ThothApp):
    """The app, remembering the messages of the engine's threads.

    Args:
        home: folder of the library; nano counts as introduced there.
        model: as on the command line.
        make: makes the engine.

    Attributes:
        told: every message of the engine, in order.
    """

    CSS_PATH = Path(app.__file__).parent / str(ThothApp.CSS_PATH)  # else it would be looked for beside this file

    def __init__(
        self, home: Path, model: str | None = "nano", make: Callable[[Library], EngineLike] = make_engine
    ) -> None:
        super().__init__(home, model, make)
        home.mkdir(parents=True, exist_ok=True)
        (home / "nano-introduced").touch()  # else a dialog comes first
        self.told: list[Message] = []

    def _to_main(self, message: Message) -> None:
        self.told.append(message)
        super()._to_main(message)

    @property
    def main(self) -> MainScreen:
        """The screen at the bottom, whatever dialog is above it."""
        screen = self.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    def all_told(self, kind: type[Kind]) -> list[Kind]:
        """Return the messages of a kind so far."""
        return [message for message in self.told if isinstance(message, kind)]


class Driver:
    """What a person does with the app.

    Args:
        pilot: of a `DrivenApp`.
    """

    def __init__(self, pilot: Pilot[Any]) -> None:
        assert isinstance(pilot.app, DrivenApp)
        self.pilot, self.app = pilot, pilot.app

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the app work until something is so."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await asyncio.sleep(_LOOK_SECONDS)

    def press(self, *keys: str) -> None:
        """Press keys; `pilot.press` would wait after each until the process computes nothing any more."""
        for key in keys:
            self.app.post_message(events.Key(key, " " if key == "space" else key if len(key) == 1 else None))

    async def next(self, kind: type[Kind], failure: type[Message], since: int) -> Kind:
        """Wait for the first message of a kind after the first `since` messages; raises the error that came instead."""
        await self.until(lambda: any(isinstance(message, (kind, failure)) for message in self.app.told[since:]))
        for message in self.app.told[since:]:
            if isinstance(message, kind):
                return message
            if isinstance(message, failure):
                error = getattr(message, "error", None)
                raise error if isinstance(error, ThothError) else AssertionError(message)
        raise AssertionError

    async def ready(self) -> None:
        """Wait for the model."""
        await self.next(ModelReady, ModelFailed, 0)
        await self.until(lambda: self.app.main.bundle)

    @property
    def prompt(self) -> Prompt:
        """Where one types."""
        return self.app.main.query_one(Prompt)

    @property
    def transcript(self) -> Transcript:
        """What was said."""
        return self.app.main.query_one(Transcript)

    def clear(self) -> None:
        """Empty the prompt."""
        self.prompt.text = ""

    def paste(self, text: str) -> None:
        """Paste into the prompt, which is also how a terminal says that a file was dropped."""
        self.prompt.focus()
        self.prompt.post_message(events.Paste(text))

    async def drop(self, text: str) -> StoredDocument:
        """Drop one file, as a terminal writes its path, and wait until it is absorbed and in the list."""
        since = len(self.app.told)
        self.paste(text)
        document = (await self.next(AbsorbDone, AbsorbFailed, since)).document
        await self.until(lambda: document.id in self.active())
        return document

    def active(self) -> set[str]:
        """Return the ids of the documents that are shown as active."""
        return {document.id for document in self.app.main.documents if document.active}

    def send(self, question: str) -> int:
        """Send a question; returns the number of messages before it."""
        since = len(self.app.told)
        self.prompt.focus()
        self.prompt.text = question
        self.press("enter")
        return since

    async def ask(self, question: str) -> Answer:
        """Ask, and wait for the answer."""
        answer = (await self.next(AnswerDone, AnswerFailed, self.send(question))).answer
        await self.until(lambda: not self.app.main.desk.chat.conversation.answering)
        return answer
