"""The app with an engine that says what the test tells it to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app.tui.fakes import FakeEngine
from thoth.tui.app import ThothApp


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
