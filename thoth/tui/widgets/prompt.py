"""The prompt: Enter sends, Ctrl+J inserts a line break, Up recalls questions; dropped files are recognised."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Paste
from textual.message import Message
from textual.widgets import Static, TextArea

from thoth.tui import commands, drops

# Longer texts are documents to absorb; wrapping them would delay typing.
_MOST_CHARACTERS = 32_000
_MOST_HINTS = 6


class Prompt(TextArea):
    """The input field for questions and commands.

    Attributes:
        earlier: earlier questions, oldest first.
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
            "tab", "complete", "Complete", id="prompt.complete", show=False, priority=True, tooltip="Complete a command"
        ),
        Binding(
            "up", "earlier", "Earlier question", id="prompt.earlier", show=False, tooltip="Recall the previous question"
        ),
        Binding("down", "later", "Later question", id="prompt.later", show=False, tooltip="Recall the next question"),
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
            placeholder="Ask, drop a file here, or type / for commands",
        )
        self.earlier: Sequence[str] = ()
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

    def action_complete(self) -> None:
        """Complete a command; if there is none, go to the next widget."""
        completed = commands.complete(self.text) if self.text.startswith("/") else None
        if completed is None:
            self.screen.focus_next()
        elif completed != self.text:
            self.replace_text(completed)

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

    def _go(self, back: int) -> None:
        if not self._back:
            self._draft = self.text
        self._back = back
        self.replace_text(self.earlier[-back] if back else self._draft)

    async def _on_paste(self, event: Paste) -> None:
        """Absorb dropped files; insert everything else."""
        event.prevent_default()
        event.stop()
        if drops.may_be_drop(event.text):
            self.take_files(event.text, or_text=True)
        else:  # at once, so that the next keys come after it
            self._insert(event.text)

    @work(group="drops")
    async def take_files(self, text: str, *, or_text: bool = False) -> None:
        """Absorb the files that a paste names; if it names none, ignore it, or insert it with `or_text`."""
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


class CommandHints(Static):
    """The commands that match the text in the prompt."""

    DEFAULT_CSS = """
    CommandHints {
        display: none;
        height: auto;
        padding: 0 2;
        color: $text-muted;
        &.-any { display: block; }
    }
    """

    def show(self, text: str) -> None:
        """Show the commands that begin with a text."""
        found = commands.completions(text)
        width = max((len(command.usage) for command in found), default=0)
        lines = [
            Content.assemble((f"{command.usage:<{width}}  ", "bold"), command.help) for command in found[:_MOST_HINTS]
        ]
        if len(found) > _MOST_HINTS:
            lines.append(Content(f"and {len(found) - _MOST_HINTS} more; Tab completes"))
        self.set_class(bool(lines), "-any")
        self.update(Content("\n").join(lines))
