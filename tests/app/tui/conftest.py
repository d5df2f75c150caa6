"""The app with an engine that says what the test tells it to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from tests.app.tui.fakes import FakeEngine
from tests.app.tui.painting import painted_where_a_test_rests
from thoth.tui.app import ThothApp
from thoth.tui.screens.permission import PermissionDialog

__all__ = ["painted_where_a_test_rests"]

_parse, _parsed = Stylesheet._parse_rules, dict[tuple[object, ...], list[RuleSet]]()


@pytest.fixture(autouse=True)
def styles_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every app parses the same style sheets, a tenth of its time; an app itself keeps them in the same way."""

    def parse(sheet: Stylesheet, *source: Any, **more: Any) -> list[RuleSet]:
        key = (frozenset(sheet._variables.items()), source, *more.items())
        if key not in _parsed:
            _parsed[key] = _parse(sheet, *source, **more)
        return _parsed[key]

    monkeypatch.setattr(Stylesheet, "_parse_rules", parse)


@pytest.fixture(autouse=True)
def keys_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test sees the dialog before it presses a key."""
    monkeypatch.setattr(PermissionDialog, "IGNORES_SECONDS", 0.0)


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
