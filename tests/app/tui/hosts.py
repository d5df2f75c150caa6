"""An app that does nothing but show one dialog, for tests of that dialog alone, and how tests wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual.app import App
from textual.pilot import Pilot
from textual.screen import ModalScreen

from tests.app.tui.painting import paint

PATIENCE_SECONDS = 60  # after which a test that waits for something that never comes fails instead of hanging


class Host(App[None]):
    """Opens the dialog at once; `results` holds what it closed with."""

    def __init__(self, dialog: ModalScreen) -> None:
        super().__init__()
        self.dialog = dialog
        self.results: list[object] = []
        self.animation_level = "none"

    def on_mount(self) -> None:
        self.push_screen(self.dialog, self.results.append)


async def until(pilot: Pilot, condition: Callable[[], bool]) -> None:
    """Let the app work until something is so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)
    paint(pilot.app)


async def click(pilot: Pilot, selector: str) -> None:
    """Click what may still be on its way to the screen: a click goes to where a widget is laid out when it begins."""
    widget = pilot.app.screen.query_one(selector)
    await until(pilot, lambda: bool(widget.region) and not widget.disabled)
    seen = None
    while seen != widget.region:  # what appears beside it may move it
        seen = widget.region
        await pilot.pause(0.05)
    assert await pilot.click(selector)
