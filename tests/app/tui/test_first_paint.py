"""What the start of the app puts off until something is on the screen."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import pytest

from tests.app.tui.conftest import Fake
from tests.app.tui.hosts import until
from thoth.tui.widgets.prompt import Prompt


@pytest.fixture
def uncollected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(gc, "freeze", lambda: None)  # it would keep all that the tests made
    gc.disable()
    yield
    gc.enable()


async def test_the_prompt_takes_keys_and_then_garbage_is_collected_again(
    fake: Callable[..., Fake], uncollected: None
) -> None:
    app = fake().app
    async with app.run_test(size=(120, 36)) as pilot:
        assert app.screen.has_class("-wide", "-high")
        await pilot.press("h", "i")
        assert app.screen.query_one(Prompt).text == "hi"
        await until(pilot, gc.isenabled)
