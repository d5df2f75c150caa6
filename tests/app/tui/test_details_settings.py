"""The settings screen: made from the schema, checked, saved to the file, and what it says where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, Select, Static

from tests.app.tui.hosts import Host, until
from thoth import settings
from thoth.agent.permissions import Grants
from thoth.errors import ThothError
from thoth.tui.screens.settings import SettingsScreen
from thoth.tui.widgets.permission_list import PermissionList
from thoth.tui.widgets.setting_field import SettingField

FILE = """# mine
top_k = 7
route = "all"

[keys]
compare = "f6"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "settings.toml"
    file.write_text(FILE)
    return file


def control(app: Host, name: str) -> Any:
    return app.screen.query_one(f"#setting-{name}").query("Input, Select").first()


async def test_the_form_has_every_key_but_the_table_and_shows_the_file(path: Path) -> None:
    app = Host(SettingsScreen(path))
    async with app.run_test():
        shown = [field.option.name for field in app.screen.query(SettingField)]
        assert shown == [option.name for option in settings.options() if option.kind != "table"]
        assert control(app, "top_k").value == "7"
        assert control(app, "route").value == "all"
        assert control(app, "with_text").value == ""
        assert control(app, "with_text").placeholder == "0 (default)"


async def test_what_was_changed_is_saved_and_comes_back_in_force(path: Path) -> None:
    app = Host(SettingsScreen(path))
    async with app.run_test(size=(80, 60)) as pilot:
        control(app, "top_k").value = ""
        control(app, "max_tokens").value = "99"
        control(app, "theme").value = "nord"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(app.results))
    assert path.read_text() == FILE.replace("top_k = 7\n", "").replace(
        "\n[keys]", 'max_tokens = 99\ntheme = "nord"\n\n[keys]'
    )
    assert app.results == [settings.load(path)]
    assert (app.results[0].max_tokens, app.results[0].top_k, app.results[0].route) == (99, 4, "all")


async def test_a_mistake_is_named_beside_its_field_and_nothing_is_saved(path: Path) -> None:
    app = Host(SettingsScreen(path))
    async with app.run_test(size=(80, 60)) as pilot:
        control(app, "top_k").value = "0"
        control(app, "max_tokens").value = "many"
        await pilot.press("ctrl+s")
        field = app.screen.query_one("#setting-top_k", SettingField)
        assert field.error == "top_k must be a whole number, 1 or more, not 0"
        assert app.focused is field.query_one(Input)
        assert path.read_text() == FILE
        control(app, "top_k").value = "3"
        await until(pilot, lambda: not field.error)
        await pilot.press("escape")
    assert app.results == [None]
    assert path.read_text() == FILE


async def test_a_file_with_mistakes_is_not_overwritten(path: Path) -> None:
    path.write_text("topk = 1\n")
    app = Host(SettingsScreen(path))
    async with app.run_test() as pilot:
        assert "unknown setting topk" in str(app.screen.query(Static).first().content)
        await pilot.press("ctrl+s", "escape")
    assert path.read_text() == "topk = 1\n"


async def test_a_file_that_cannot_be_written_says_so_and_keeps_the_form(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **changes: object) -> None:
        raise ThothError(f"cannot write {sorted(changes)}: mend the permissions")

    monkeypatch.setattr(settings, "save", refuse)
    app = Host(SettingsScreen(path))
    async with app.run_test() as pilot:
        control(app, "max_tokens").value = "3"
        await pilot.press("ctrl+s")
        failure = app.screen.query_one("#failure", Static)
        await until(pilot, lambda: "cannot write ['max_tokens']: mend the permissions" in str(failure.content))
        assert app.results == []


async def test_a_key_that_the_environment_sets_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOTH_TOP_K", "9")
    app = Host(SettingsScreen(path))
    async with app.run_test():
        note = app.screen.query_one("#setting-top_k").query_one(".note", Static)
        assert "THOTH_TOP_K overrides this setting" in str(note.content)


async def test_a_theme_of_another_installation_does_not_break_the_form(path: Path) -> None:
    path.write_text('theme = "no-such-theme"\n')
    app = Host(SettingsScreen(path))
    async with app.run_test():
        assert control(app, "theme").value is Select.NULL


async def test_the_form_survives_a_tiny_terminal(path: Path) -> None:
    app = Host(SettingsScreen(path))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.resize_terminal(20, 5)
        await pilot.press("tab", "tab", "escape")
        assert app.results == [None]


def test_how_the_settings_look(path: Path, snap_compare: Any) -> None:
    async def still(pilot: Pilot) -> None:
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False

    assert snap_compare(Host(SettingsScreen(path)), terminal_size=(80, 24), run_before=still)


async def test_permissions_are_listed_and_revoked(path: Path) -> None:
    grants = Grants(path.with_name("permissions.json"))
    grants.put(("web", "mcp:notes"), "always")
    grants.put(("forget",), "never")
    app = Host(SettingsScreen(path))
    async with app.run_test(size=(80, 60)) as pilot:

        def lines() -> list[str]:
            return [str(line.render()).partition(" (")[0] for line in app.screen.query(".decision").results(Static)]

        assert lines() == [
            "never remove from the library",
            "always use the MCP server notes",
            "always go to the web",
        ]
        app.screen.query(".permission Button").last(Button).press()
        await until(pilot, lambda: len(lines()) == 2)
        assert [grant.need for grant in grants.all()] == ["forget", "mcp:notes"]
        await pilot.press("escape")
        await until(pilot, lambda: bool(app.results))
    assert app.results == [None]


async def test_a_permissions_file_that_cannot_be_read_says_so(path: Path) -> None:
    path.with_name("permissions.json").write_text("[")
    app = Host(SettingsScreen(path))
    async with app.run_test(size=(80, 60)):
        shown = app.screen.query_one(PermissionList).query_one(".error", Static)
        assert "holds no permissions" in str(shown.render())
