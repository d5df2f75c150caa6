"""When an app of a test paints itself: where the test rests, and not 60 times a second on the way there.

Half of an app's time in a test went into paints that no test checks. Changed regions are kept and painted at the next
rest; layout, messages and snapshots of the whole screen are as in the app.
"""

from __future__ import annotations

from typing import Any

import pytest
from textual._compositor import Compositor
from textual.app import App
from textual.pilot import Pilot

_render_update, _pause, _shutdown = Compositor.render_update, Pilot.pause, App._shutdown
_resting = False


def paint(app: App[Any]) -> None:
    """Paint what has changed since the last time; an error of a widget that paints itself is raised."""
    global _resting
    if app.is_running and app.screen_stack and app.screen._compositor._dirty_regions:
        _resting = True
        try:
            app.screen._compositor_refresh()
        finally:
            _resting = False


@pytest.fixture(autouse=True)
def painted_where_a_test_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paint at each pause of the pilot, at the end of each `until`, and before an app ends."""

    def render_update(compositor: Compositor, full: bool = False, **more: Any) -> Any:
        return _render_update(compositor, full, **more) if full or _resting else None

    async def pause(pilot: Pilot[Any], delay: float | None = None) -> None:
        await _pause(pilot, delay)
        paint(pilot.app)

    async def shutdown(app: App[Any]) -> None:
        try:
            paint(app)
        finally:
            await _shutdown(app)

    monkeypatch.setattr(Compositor, "render_update", render_update)
    monkeypatch.setattr(Pilot, "pause", pause)
    monkeypatch.setattr(App, "_shutdown", shutdown)
