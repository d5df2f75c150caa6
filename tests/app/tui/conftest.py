"""The app with an engine that says what the test tells it to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual import _wait

from tests.app.tui.fakes import FakeEngine
from thoth.tui.app import ThothApp


@pytest.fixture(autouse=True)
def quick_eyes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pilot waits, twice for each key, until the app has done nothing for 20 ms: most of a test's time; here 5 ms."""
    monkeypatch.setattr(_wait, "SLEEP_GRANULARITY", 0.005)
    monkeypatch.setattr(_wait, "SLEEP_IDLE", 0.0005)


class Fake:
    """An app, and its engine before the app has made it.

    Attributes:
        app: to be run.
        engine: of the app.
    """

    def __init__(self, home: Path, **script: object) -> None:
        (home / "nano-introduced").parent.mkdir(parents=True, exist_ok=True)
        (home / "nano-introduced").touch()
        self.app = ThothApp(home, None, lambda _: self.engine)
        self.engine = FakeEngine(self.app.library, **script)


@pytest.fixture
def fake(home: Path) -> Callable[..., Fake]:
    """Make an app with a `FakeEngine` of this script."""
    return lambda **script: Fake(home, **script)
