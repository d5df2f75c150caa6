"""A line for a path, on which files can be dropped."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import Input

from thoth.tui.drops import Drop, find_drops, may_be_drop


class PathInput(Input):
    """An input that tells dropped files from pasted text."""

    @dataclass
    class Dropped(Message):
        """Files were dropped on the line."""

        drop: Drop

    async def _on_paste(self, event: events.Paste) -> None:  # type: ignore[override] Textual awaits either
        if not may_be_drop(event.text):
            return
        event.prevent_default()
        event.stop()
        if drop := await asyncio.to_thread(find_drops, event.text):
            self.post_message(self.Dropped(drop))
        else:
            self.insert_text_at_cursor(event.text.splitlines()[0])
