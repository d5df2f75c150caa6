"""The main screen as its desk sees it: what the controllers work with, and where their state goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen

if TYPE_CHECKING:
    from thoth.chats.sessions import Sessions
    from thoth.library.records import StoredDocument
    from thoth.settings import Settings
    from thoth.tui.downloads import Downloads
    from thoth.tui.engine_client import EngineClient
    from thoth.tui.widgets.absorb_queue import JobState


class Parts(Protocol):
    """What the controllers work with, made when it is first asked for.

    Attributes:
        model: the one on the command line; None leaves it to the settings.
    """

    model: str | None

    @property
    def client(self) -> EngineClient:
        """The way to the engine."""

    @property
    def sessions(self) -> Sessions:
        """Stores chats."""

    @property
    def downloads(self) -> Downloads:
        """Of models."""


class DeskScreen(Screen[None]):
    """A screen whose widgets show the state of a desk.

    Attributes:
        documents: of the library, newest first.
        bundle: id of the bundle in use.
        jobs: documents that are being absorbed, wait, or failed.
    """

    documents: reactive[Sequence[StoredDocument]] = reactive[Sequence["StoredDocument"]]((), always_update=True)
    bundle: reactive[str | None] = reactive[str | None](None)
    jobs: reactive[dict[int, JobState]] = reactive[dict[int, "JobState"]]({})

    @dataclass
    class SettingsLoaded(Message):
        """The settings were read again."""

        settings: Settings

    def settings_loaded(self, loaded: Settings) -> None:
        """Tell the app of the settings."""
        self.post_message(self.SettingsLoaded(loaded))
