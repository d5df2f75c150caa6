"""What the current chat has in the weights: its oldest turns, which have left the context."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from thoth.actions.memory import NOTHING, Remembered
from thoth.tui.messages import ChatNotRemembered, ChatRemembered, MemoryMessage

if TYPE_CHECKING:
    from thoth.chats.sessions import Session, Sessions, Turn
    from thoth.settings import Settings
    from thoth.tui.engine_client import EngineClient
    from thoth.tui.notices import Say


class MemoryController:
    """Has turns absorbed when the context is full.

    Args:
        client: absorbs them.
        sessions: has the chats.
        changed: called when `remembered` changed.
        say: shows a notice.

    Attributes:
        remembered: what the current chat has in the weights.
    """

    def __init__(
        self,
        client: EngineClient,
        sessions: Sessions,
        changed: Callable[[], None],
        say: Say,
    ) -> None:
        self._client, self._sessions, self._changed, self._say = client, sessions, changed, say
        self._chat: str | None = None
        self._failed = ""  # said once for each chat
        self.remembered = NOTHING

    def follow(self, session: Session | None, turns: Sequence[Turn], settings: Settings) -> None:
        """Look at a chat that became the current one, or that has another turn."""
        chat = session.id if session and settings.agent_memory == "on" else None
        if chat != self._chat:
            self._chat, self._failed = chat, ""
            self._set(NOTHING)
        if chat is not None:
            self._client.remember(self._sessions, chat, [*turns], settings.agent_window)

    def take(self, message: MemoryMessage) -> None:
        """Note what became of a chat; messages about earlier ones are ignored."""
        if message.chat != self._chat:
            return
        match message:
            case ChatRemembered():
                self._set(message.remembered)
            case ChatNotRemembered() if str(message.error) != self._failed:
                self._failed = str(message.error)
                self._say(f"The oldest turns stay in the context: {message.error}", "warning")

    def _set(self, remembered: Remembered) -> None:
        if remembered != self.remembered:
            self.remembered = remembered
            self._changed()
