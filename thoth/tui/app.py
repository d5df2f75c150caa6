"""The terminal app, put together: one library, one engine, one screen that shows both."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App

from thoth.system import paths
from thoth.tui.safe_text import SafeText

if TYPE_CHECKING:
    from textual.events import Paste
    from textual.filter import LineFilter
    from textual.message import Message
    from textual.screen import Screen

    from thoth.chats.sessions import Sessions
    from thoth.library.library import Library
    from thoth.settings import Settings
    from thoth.tui.desk_screen import DeskScreen
    from thoth.tui.downloads import Downloads
    from thoth.tui.engine_client import EngineClient
    from thoth.tui.engine_request import EngineLike
    from thoth.tui.screens.main import MainScreen


_NOTICE_SECONDS = 10.0


class _Notices(logging.Handler):
    """Shows warnings of the core as notices: on stderr they would garble the screen."""

    def __init__(self, app: App[None]) -> None:
        super().__init__(logging.WARNING)
        self._app = app

    def emit(self, record: logging.LogRecord) -> None:
        self._app.notify(record.getMessage(), severity="warning", timeout=_NOTICE_SECONDS, markup=False)


class ThothApp(App[None]):
    """Composition root: builds the parts when the main screen asks for them, which it does after its first paint.

    Args:
        home: Thoth's home folder.
        model: the one on the command line; None leaves it to the settings.
        make_engine: called on a thread with the library.
    """

    TITLE = "Thoth"
    CSS_PATH = "screens/main.tcss"  # Textual does not load it with the default screen

    def __init__(self, home: Path, model: str | None, make_engine: Callable[[Library], EngineLike]) -> None:
        super().__init__()
        self._safe_text = SafeText()
        self._core = logging.getLogger("thoth")
        self._handlers: list[logging.Handler] = []  # those of the command line
        self.home = home
        self.model = model
        self._make_engine = make_engine
        self.animation_level = "none"  # over ssh a sliding screen is a slow one
        self._main: MainScreen | None = None

    @cached_property
    def library(self) -> Library:
        """The documents of this home."""
        from thoth.library.library import Library

        return Library(self.home)

    @cached_property
    def sessions(self) -> Sessions:
        """The chats of this home."""
        from thoth.chats.sessions import Sessions

        return Sessions(self.home)

    @cached_property
    def client(self) -> EngineClient:
        """The way to the engine."""
        from thoth.tui.engine_client import EngineClient

        return EngineClient(self.library, self._make_engine, self._to_main)

    @cached_property
    def downloads(self) -> Downloads:
        """The download of a model, in the background."""
        from thoth.tui.downloads import Downloads

        return Downloads()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what every line passes before it is written: Textual's own, then the one that makes it safe."""
        return [*super().get_line_filters(), self._safe_text]

    def get_default_screen(self) -> Screen[Any]:
        """Return the chat."""
        from thoth.tui.screens.main import MainScreen

        self._main = MainScreen(self)
        return self._main

    def on_mount(self) -> None:
        """Apply theme and keys before the first paint; the main screen reports a mistake in the settings after it."""
        self._core.handlers, self._handlers = [_Notices(self)], self._core.handlers
        if not paths.settings().exists() and "THOTH_THEME" not in os.environ:
            return
        from thoth import settings
        from thoth.errors import ThothError

        with suppress(ThothError):
            self._apply(settings.load(paths.settings()))

    async def on_unmount(self) -> None:
        """Let the threads end; those of the engine may end after the screen is closed."""
        self._core.handlers = self._handlers
        if self._main is not None:
            await asyncio.to_thread(self._main.desk.serving.close)
        self.client.close()
        if self._main is not None:
            await asyncio.to_thread(self._main.desk.chat.conversation.close)
            await asyncio.to_thread(self._main.desk.chat.agent.close)
        await asyncio.to_thread(self.downloads.close)

    def on_desk_screen_settings_loaded(self, event: DeskScreen.SettingsLoaded) -> None:
        """Apply theme and keys of the settings that were read again."""
        self._apply(event.settings)

    def _apply(self, chosen: Settings) -> None:
        if chosen.theme in self.available_themes:
            self.theme = chosen.theme
        self.set_keymap(chosen.keys)

    def on_paste(self, event: Paste) -> None:
        """Absorb files that are dropped on the window while a dialog or the library has the focus."""
        if self._main is not None:
            self._main.take_files(event.text)

    def _to_main(self, message: Message) -> None:
        if self._main is not None:
            self._main.post_message(message)


def make_engine(library: Library) -> EngineLike:
    """Return the engine; imports what it needs, so not on the event loop's thread."""
    from thoth import settings
    from thoth.engine.engine import Engine

    return Engine(library, settings.load(paths.settings()).kv_cache_mb << 20)


def run(model: str | None = None) -> None:
    """Open the app and return when it is closed."""
    ThothApp(paths.home(), model, make_engine).run()
