"""Labels and values side by side, at any width."""

from __future__ import annotations

from textual.app import App, ComposeResult

from thoth.tui.widgets.facts import Facts

ROWS = (("/absorb PATH|URL", "Absorb a file, folder or URL; without one, choose files"), ("/docs", "Show the library"))


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        yield Facts(ROWS)


async def test_a_long_value_stays_in_its_column() -> None:
    app = Shown()
    async with app.run_test(size=(43, 20)) as pilot:
        await pilot.pause()
        facts = app.query_one(Facts)
        assert [line.rstrip() for line in str(facts.render()).split("\n")] == [
            "/absorb PATH|URL  Absorb a file, folder or",
            "                  URL; without one, choose",
            "                  files",
            "/docs             Show the library",
        ]
        assert facts.size.height == 4
        await pilot.resize_terminal(21, 20)  # no room for two columns
        await pilot.pause()
        lines = str(facts.render()).split("\n")
        assert max(map(len, lines)) <= 20
        assert facts.size.height == len(lines)
        facts.put(ROWS[1:])
        await pilot.pause()
        assert facts.size.height == 2
