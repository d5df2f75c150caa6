"""A line for a path, on which files can be dropped."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from textual import events, work
from textual.message import Message
from textual.widgets import Input

from thoth.tui.drops import Drop, find_drops, may_be_drop


class PathInput(Input):
    """An input that tells dropped files from pasted text."""

    @dataclass
    class Dropped(Message):
        """Files were dropped on the line."""

        drop: Drop

    def _on_paste(self, event: events.Paste) -> None:
        if may_be_drop(event.text):
            event.prevent_default()
            event.stop()
            self._look_for_files(event.text)

    @work(group="drops")
    async def _look_for_files(self, text: str) -> None:
        if drop := await asyncio.to_thread(find_drops, text):
            self.post_message(self.Dropped(drop))
        else:
            self.insert_text_at_cursor(text.splitlines()[0])
