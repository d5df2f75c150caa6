"""Ctrl+S: search earlier chats; resume, rename or delete them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from thoth.chats.sessions import Session, Sessions, now
from thoth.errors import ThothError
from thoth.system.terminal import shown
from thoth.tui import figures
from thoth.tui.screens.dialog import Dialog

# The user finds the others by a word.
_MOST_SHOWN = 300


class SessionsScreen(Dialog[Session | None]):
    """Closes with the session to resume, or with None.

    Args:
        sessions: stores the chats.
        current: the current chat; it is marked, and cannot be deleted here.
        clock: returns the time, in UTC.
        delete: deletes the chat with an id and what belongs to it, on a thread; None: the chat alone.
    """

    CSS_PATH: ClassVar = ["dialog.tcss", "sessions.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "rename", "Rename", id="sessions.rename", tooltip="Rename the chat"),
        Binding("delete", "remove", "Delete", id="sessions.remove", priority=True, tooltip="Delete the chat"),
        Binding("down", "move(1)", "Next", id="sessions.next", show=False, tooltip="The chat below"),
        Binding("up", "move(-1)", "Previous", id="sessions.previous", show=False, tooltip="The chat above"),
    ]

    def __init__(
        self,
        sessions: Sessions,
        current: Session | None = None,
        clock: Callable[[], datetime] = now,
        delete: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self._sessions = sessions
        self._delete = delete or sessions.remove
        self._current = current
        self._clock = clock
        self._found: list[Session] = []
        self._words = ""  # that the list was searched for

    def compose(self) -> ComposeResult:
        """Yield the search field and the list."""
        with Vertical(classes="dialog -full") as box:
            box.border_title = "Chats"
            box.border_subtitle = "Enter resumes, F2 renames, Del deletes, Esc closes"
            yield Input(placeholder="Search chats", compact=True)
            chats = OptionList(markup=False, compact=True)
            chats.can_focus = False
            yield chats
            yield Static("", classes="note", markup=False)

    def on_mount(self) -> None:
        """Show the latest chats."""
        self._look()

    @on(Input.Changed)
    @work(group="look", exclusive=True)
    async def _look(self) -> None:
        """Show the chats with these words."""
        words = self.query_one(Input).value
        try:
            found = await asyncio.to_thread(self._sessions.find, words)
        except ThothError as error:
            self.query_one(Static).update(str(error))
            return
        self._found, self._words = found[:_MOST_SHOWN], words
        chats = self.query_one(OptionList)
        before = chats.highlighted or 0
        chats.clear_options()
        chats.add_options([Option(self._line(session), id=session.id) for session in self._found])
        chats.highlighted = min(before, len(self._found) - 1) if self._found else None
        more = f", showing the latest {_MOST_SHOWN}" if len(found) > _MOST_SHOWN else ""
        self.query_one(Static).update(
            figures.count(len(found), "chat") + more if found else "No chat contains these words"
        )

    def _line(self, session: Session) -> Content:
        mark = "this chat" if self._current and session.id == self._current.id else age(session.updated, self._clock())
        return Content.assemble(
            f"{mark:>12}  ",
            (shown(session.title) or "(no title)", "bold"),
            (f"  {figures.count(session.turns, 'question')}", "$text-muted"),
        )

    @on(Input.Submitted)
    async def _submitted(self) -> None:
        """Resume the chat under the cursor; a list of fewer words is brought up to date first."""
        if self.query_one(Input).value == self._words or await self.waited(self._look()):
            self._resume()

    @on(OptionList.OptionSelected)
    def _resume(self) -> None:
        if session := self._chosen():
            same = self._current is not None and session.id == self._current.id
            self.dismiss(None if same else session)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the delete key to the search field while there is text after the cursor."""
        return action != "remove" or all(words.cursor_position == len(words.value) for words in self.query(Input))

    def action_move(self, by: int) -> None:
        """Move the cursor in the list; the focus stays on the search field."""
        chats = self.query_one(OptionList)
        if self._found:
            chats.highlighted = max(0, min((chats.highlighted or 0) + by, len(self._found) - 1))

    @work(group="dialog")
    async def action_rename(self) -> None:
        """Ask for a new title."""
        from thoth.tui.screens.rename import Rename

        session = self._chosen()
        if session and (title := await self.app.push_screen_wait(Rename("Rename chat", session.title))):
            await self._change(lambda: self._sessions.rename(session.id, title))

    @work(group="dialog")
    async def action_remove(self) -> None:
        """Delete a chat after a confirmation."""
        from thoth.tui.screens.confirm import Confirm

        session = self._chosen()
        if session is None:
            return
        if self._current is not None and session.id == self._current.id:
            self.query_one(Static).update("This is the current chat; start a new one to delete it")
            return
        question = f"Delete “{shown(session.title)}”?"
        kept = "Deletes its questions and answers. Documents stay in the library."
        if await self.app.push_screen_wait(Confirm(question, kept, "Delete")):
            await self._change(lambda: self._delete(session.id))

    async def _change(self, change: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(change)
        except ThothError as error:
            self.query_one(Static).update(str(error))
        else:
            self._look()

    def _chosen(self) -> Session | None:
        at = self.query_one(OptionList).highlighted
        return self._found[at] if at is not None and at < len(self._found) else None


def age(moment: datetime, at: datetime) -> str:
    """Return how long ago a moment was, or its date if that is a week or more."""
    minutes = int((at - moment).total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    if minutes < 24 * 60:
        return f"{minutes // 60} h ago"
    if minutes < 7 * 24 * 60:
        return f"{minutes // (24 * 60)} d ago"
    return moment.date().isoformat()
