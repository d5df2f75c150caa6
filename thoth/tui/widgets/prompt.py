"""The prompt: Enter sends, Ctrl+J inserts a line break, Up recalls questions, Tab completes; files can be dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.events import Paste
from textual.message import Message
from textual.widgets import TextArea

if TYPE_CHECKING:
    from thoth.tui.completing import Hint, Names

# Longer texts are documents to absorb; wrapping them would delay typing.
_MOST_CHARACTERS = 32_000


class Prompt(TextArea):
    """The input field for questions and commands.

    Attributes:
        earlier: earlier questions, oldest first.
        names: documents and collections that Tab completes; None before they are known.
        suggested: questions that Tab puts into an empty prompt, one after the other.
    """

    DEFAULT_CSS = """
    Prompt {
        height: auto;
        min-height: 3;
        max-height: 8;
        border: round $border-blurred;
        padding: 0 1;
        &:focus { border: round $border; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", id="prompt.send", priority=True, tooltip="Send the question"),
        Binding(
            "ctrl+j,shift+enter,alt+enter",
            "new_line",
            "New line",
            id="prompt.new_line",
            priority=True,
            tooltip="Insert a line break",
        ),
        Binding(
            "tab",
            "complete",
            "Complete",
            id="prompt.complete",
            show=False,
            priority=True,
            tooltip="Complete a command or a name, or take a suggested question",
        ),
        Binding(
            "up", "earlier", "Earlier question", id="prompt.earlier", show=False, tooltip="Recall the previous question"
        ),
        Binding("down", "later", "Later question", id="prompt.later", show=False, tooltip="Recall the next question"),
        Binding("pageup", "page(-1)", "Page up", id="prompt.page_up", show=False, tooltip="Scroll the chat up"),
        Binding("pagedown", "page(1)", "Page down", id="prompt.page_down", show=False, tooltip="Scroll the chat down"),
    ]

    @dataclass
    class Sent(Message):
        """A question or command was sent."""

        text: str

    @dataclass
    class FilesDropped(Message):
        """Files or folders were dropped on the terminal; `note` names those that were guessed."""

        paths: tuple[Path, ...]
        note: str | None

    @dataclass
    class Offered(Message):
        """The user wants a path or address to be absorbed."""

        source: str

    @dataclass
    class Paged(Message):
        """Scroll the chat by a number of pages, negative for up."""

        pages: int

    @dataclass
    class Said(Message):
        """A notice about a paste."""

        text: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            id=id,
            soft_wrap=True,
            tab_behavior="focus",
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder="Ask, drop a file, or type / for commands",
        )
        self.earlier: Sequence[str] = ()
        self.names: Names | None = None
        self.suggested: Sequence[str] = ()
        self._back = 0  # how far back in the history; 0 is the draft
        self._draft = ""

    def replace_text(self, text: str) -> None:
        """Replace the text; the cursor goes to its end."""
        self.text = text
        self.move_cursor(self.document.end)

    def action_send(self) -> None:
        """Send the text after all pending keys."""
        # A key with priority is handled at once, but letters queue: sent now, a fast typist would lose the last ones.
        self.call_later(self._send)

    def _send(self) -> None:
        text = self.text
        if not text.strip():
            return
        self._back = 0
        self.text = ""
        self.post_message(self.Sent(text.rstrip()))

    def action_new_line(self) -> None:
        """Insert a line break after all pending keys."""
        self.call_later(self.insert, "\n")

    @property
    def before_cursor(self) -> str:
        """The text up to the cursor."""
        return self.get_text_range((0, 0), self.cursor_location)

    def action_complete(self) -> None:
        """Complete a command or a name, or absorb the path that the text is; if it is none, go to the next widget.

        With suggested questions, an empty prompt gets the first one, and each one is followed by the next.
        """
        from thoth.tui import completing

        turn = ["", *self.suggested, ""]
        if len(turn) > 2 and self.text in turn:
            self.replace_text(turn[turn.index(self.text) + 1])
            return
        text = self.before_cursor
        if not completing.may_complete(text):
            self.screen.focus_next()
        elif completing.needs_disk(text):
            self._complete_from_disk(text)
        else:
            self._complete(text, completing.hint(text, self.names or completing.Names()))

    @work(group="complete", exclusive=True)
    async def _complete_from_disk(self, text: str) -> None:
        from thoth.tui import completing

        hint = await asyncio.to_thread(completing.hint, text, self.names or completing.Names())
        if text == self.before_cursor:
            self._complete(text, hint)

    def _complete(self, text: str, hint: Hint) -> None:
        if hint.absorb:
            self.text = ""
            self.post_message(self.Offered(hint.absorb))
        elif hint.text != text:
            self.replace(hint.text, (0, 0), self.cursor_location)

    def action_earlier(self) -> None:
        """Recall the previous question if the cursor is on the first line."""
        if self.cursor_location[0] > 0 or self._back >= len(self.earlier):
            self.action_cursor_up()
        else:
            self._go(self._back + 1)

    def action_later(self) -> None:
        """Recall the next question, and last the draft, if the cursor is on the last line."""
        if self.cursor_location[0] < self.document.line_count - 1 or not self._back:
            self.action_cursor_down()
        else:
            self._go(self._back - 1)

    def action_page(self, pages: int) -> None:
        """Scroll the chat."""
        self.post_message(self.Paged(pages))

    def _go(self, back: int) -> None:
        if not self._back:
            self._draft = self.text
        self._back = back
        self.replace_text(self.earlier[-back] if back else self._draft)

    async def _on_paste(self, event: Paste) -> None:
        """Absorb dropped files; insert everything else."""
        from thoth.tui import drops

        event.prevent_default()
        event.stop()
        if drops.may_be_drop(event.text):
            self.take_files(event.text, or_text=True)
        else:  # at once, so that the next keys come after it
            self._insert(event.text)

    @work(group="drops")
    async def take_files(self, text: str, *, or_text: bool = False) -> None:
        """Absorb the files that a paste names; if it names none, ignore it, or insert it with `or_text`."""
        from thoth.tui import drops

        drop = await asyncio.to_thread(drops.find_drops, text)
        if drop is not None:
            self.post_message(self.FilesDropped(drop.paths, drop.note))
        elif or_text:
            self._insert(text)
            if lost := await asyncio.to_thread(drops.missing, text):
                self.post_message(self.Said(lost))

    def _insert(self, text: str) -> None:
        if len(self.text) + len(text) > _MOST_CHARACTERS:
            remedy = "save it to a file and drop the file here to absorb it"
            self.post_message(self.Said(f"{len(text):,} characters are too many for a question; {remedy}"))
            return
        self.insert(text.replace("\r\n", "\n").replace("\r", "\n"), maintain_selection_offset=False)
