"""Apps of these tests are painted where a test rests (`painting.py`), and errors of painting are seen there."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.strip import Strip
from textual.widget import Widget

from tests.app.tui.hosts import until


class Counting(Widget):
    """Counts the lines that it paints."""

    painted = 0

    def render_line(self, y: int) -> Strip:
        self.painted += 1
        return Strip.blank(self.size.width)


class Failing(Widget):
    def render_line(self, y: int) -> Strip:
        raise ValueError("this cannot be painted")


class Showing(App[None]):
    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


async def test_what_a_test_waited_for_is_painted_once() -> None:
    widget = Counting()
    async with Showing(widget).run_test(size=(20, 5)) as pilot:
        assert widget.painted == 0
        await until(pilot, lambda: widget.size.height == 5)
        assert widget.painted == 5
        await pilot.pause()
        assert widget.painted == 5
        widget.refresh()
        await pilot.pause()
        assert widget.painted == 10


async def test_an_app_that_ends_is_painted_first() -> None:
    widget = Counting()
    await shown(widget, rests=False)
    assert widget.painted == 5


async def shown(widget: Widget, rests: bool) -> None:
    async with Showing(widget).run_test(size=(20, 5)) as pilot:
        if rests:
            await pilot.pause()


@pytest.mark.parametrize("rests", [True, False])
async def test_what_cannot_be_painted_fails_its_test(rests: bool) -> None:
    with pytest.raises(ValueError, match="cannot be painted"):
        await shown(Failing(), rests)
