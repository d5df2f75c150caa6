"""Where one types: Enter sends, Ctrl+J begins a new line, Up brings questions back; drops are told from texts."""

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

# A document is absorbed, not typed; a text area that wraps this much would hold up typing.
_MOST_CHARACTERS = 32_000
_MOST_HINTS = 6


class Prompt(TextArea):
    """The question that is being written.

    Attributes:
        earlier: questions, oldest first.
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
            tooltip="Begin a new line in the question",
        ),
        Binding("tab", "complete", "Complete", id="prompt.complete", show=False, priority=True, tooltip="Complete a /"),
        Binding("up", "earlier", "Earlier question", id="prompt.earlier", show=False, tooltip="The question before"),
        Binding("down", "later", "Later question", id="prompt.later", show=False, tooltip="The question after"),
    ]

    @dataclass
    class Sent(Message):
        """A question or command was sent."""

        text: str

    @dataclass
    class FilesDropped(Message):
        """Files or folders were dropped on the terminal; `note` says what had to be guessed."""

        paths: tuple[Path, ...]
        note: str | None

    @dataclass
    class Said(Message):
        """Something about what was pasted that people should know."""

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
        self._back = 0  # how far back in the history, 0: what is being written
        self._draft = ""

    def replace_text(self, text: str) -> None:
        """Put a text in place of what is there, the cursor at its end."""
        self.text = text
        self.move_cursor(self.document.end)

    def action_send(self) -> None:
        """Send what is there, once all that was typed before is."""
        # A key with priority is handled at once, but letters queue: sent now, a fast line would lose its end.
        self.call_later(self._send)

    def _send(self) -> None:
        text = self.text
        if not text.strip():
            return
        self._back = 0
        self.text = ""
        self.post_message(self.Sent(text.rstrip()))

    def action_new_line(self) -> None:
        """Insert a line end behind all that was typed before."""
        self.call_later(self.insert, "\n")

    def action_complete(self) -> None:
        """Complete a command; without one, go to the next widget."""
        completed = commands.complete(self.text) if self.text.startswith("/") else None
        if completed is None:
            self.screen.focus_next()
        elif completed != self.text:
            self.replace_text(completed)

    def action_earlier(self) -> None:
        """On the first line: bring the question before back."""
        if self.cursor_location[0] > 0 or self._back >= len(self.earlier):
            self.action_cursor_up()
        else:
            self._go(self._back + 1)

    def action_later(self) -> None:
        """On the last line: bring the question after back, in the end what was being written."""
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
        """Take dropped files as files, everything else as text."""
        event.prevent_default()
        event.stop()
        if drops.may_be_drop(event.text):
            self.take_files(event.text, or_text=True)
        else:  # at once: what is typed next comes after it
            self._insert(event.text)

    @work(group="drops")
    async def take_files(self, text: str, *, or_text: bool = False) -> None:
        """Take the files that a paste stands for; one that stands for none is dropped, or inserted with `or_text`."""
        drop = await asyncio.to_thread(drops.find_drops, text)
        if drop is not None:
            self.post_message(self.FilesDropped(drop.paths, drop.note))
        elif or_text:
            self._insert(text)
            if lost := await asyncio.to_thread(drops.missing, text):
                self.post_message(self.Said(lost))

    def _insert(self, text: str) -> None:
        if len(self.text) + len(text) > _MOST_CHARACTERS:
            remedy = "save it to a file and drop that here, and Thoth absorbs it"
            self.post_message(self.Said(f"{len(text):,} characters are too many for a question: {remedy}"))
            return
        self.insert(text.replace("\r\n", "\n").replace("\r", "\n"), maintain_selection_offset=False)


class CommandHints(Static):
    """The commands that what is typed may become."""

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
        """Show what fits a text; nothing for one that is no command."""
        found = commands.completions(text)
        width = max((len(command.usage) for command in found), default=0)
        lines = [
            Content.assemble((f"{command.usage:<{width}}  ", "bold"), command.help) for command in found[:_MOST_HINTS]
        ]
        if len(found) > _MOST_HINTS:
            lines.append(Content(f"and {len(found) - _MOST_HINTS} more: type on, Tab completes"))
        self.set_class(bool(lines), "-any")
        self.update(Content("\n").join(lines))
