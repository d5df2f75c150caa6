"""Documents of a real library are exported, with an engine that is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from textual.widgets import Input

from tests.app.tui.library_app import absorbed, running, until, write
from thoth.actions import export as exporting
from thoth.actions.export import Format
from thoth.engine.engine import Engine
from thoth.events import Absorbed, Answer, Failed
from thoth.library.library import Library
from thoth.models import registry
from thoth.tui.screens.export import ExportScreen


async def test_an_export_says_what_it_wrote_or_why_not(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(home) as pilot:
        app = pilot.app
        await absorbed(pilot, write(tmp_path / "note.txt"))

        async def export() -> None:
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, ExportScreen))
            app.screen.query_one("#destination", Input).value = str(tmp_path / "adapter")
            await pilot.press("tab", "tab")
            app.screen.query_one("#destination", Input).focus()
            await pilot.press("enter")

        # The real thing refuses: the fake's bundle is not that of nano.
        await export()
        await until(pilot, lambda: any("note.txt was absorbed with another model" in text for text in app.said))

        plans: list[Any] = []
        monkeypatch.setattr(exporting, "export", lambda *plan, force: plans.append((*plan, force)) or 8)
        await export()
        await until(pilot, lambda: f"Wrote an adapter of rank 8 to {tmp_path}/adapter" in app.said)
        where, pair, documents, format, destination, force = plans[0]
        assert (where, pair.name, format, destination, force) == (home, "nano", "mlx-lm", tmp_path / "adapter", False)
        assert [(d.name, d.active) for d in documents] == [("note.txt", True)]


async def test_without_a_model_nothing_is_exported(home: Path, tmp_path: Path) -> None:
    async with running(home) as pilot:
        app = pilot.app
        await absorbed(pilot, write(tmp_path / "note.txt"))
        app.engine.hold("load")
        app.client.load("nano")
        await until(pilot, lambda: app.client.pair is None)
        await pilot.press("e")
        await until(pilot, lambda: any("Exporting needs the model" in text for text in app.said))


def test_adapters_are_written_beside_a_running_engine(home: Path, tiny_pair: Path, tmp_path: Path) -> None:
    pair = registry.resolve(str(tiny_pair))
    with Engine(Library(home)) as engine:
        assert not any(isinstance(event, Failed) for event in engine.load(pair))
        *_, absorbed = engine.absorb(write(tmp_path / "note.txt"))
        assert isinstance(absorbed, Absorbed)
        for format in get_args(Format):  # one after the other: threads of MLX are not used twice
            assert exporting.export(home, pair, [absorbed.document], format, tmp_path / format) > 0
            assert (tmp_path / format / "adapter_config.json").exists()
        *_, answer = engine.ask([{"role": "user", "content": "Who?"}], [absorbed.document], max_tokens=2)
        assert isinstance(answer, Answer)
