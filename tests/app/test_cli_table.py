"""Rows on a terminal, and the line of progress: as wide as they may be, whatever the letters."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from thoth.cli import app, table
from thoth.cli.console import _line
from thoth.events import Progress
from thoth.system.machine import size


@pytest.mark.parametrize(
    ("text", "columns", "cut"),
    [
        ("harbour", 7, "harbour"),
        ("harbour", 6, "harbo…"),
        ("harbour", 1, "…"),
        ("harbour", 0, ""),
        ("港の規則", 8, "港の規則"),
        ("港の規則", 6, "港の…"),
        ("e\u0301te\u0301", 3, "e\u0301te\u0301"),
    ],
)
def test_cutting(text: str, columns: int, cut: str) -> None:
    assert table.cut(text, columns) == cut
    assert table.width(cut) <= columns


def test_columns_line_up() -> None:
    shown = table.show(("name", "size"), [("港", "1 MB"), ("harbour", "12 MB")], right=("size",))
    assert shown.splitlines() == ["name      size", "港        1 MB", "harbour  12 MB"]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 KB"), (82_000, "82.0 KB"), (164_000_000, "164 MB"), (7.7e9, "7.7 GB")],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


def test_the_line_of_progress() -> None:
    progress = Progress("absorb", 12, 40, 850.4, 80.2, 100)
    whole = "absorbing manual.pdf 12/40 chunks, 100 pages, 850 tokens/s, 1:20 left"
    assert _line("absorbing manual.pdf", progress, 200) == whole
    narrow = _line("absorbing manual.pdf", progress, 60)
    assert table.width(narrow) == 60
    assert narrow.startswith("absorbing … 12/40")
    assert narrow.endswith(" 1:20 left")
    assert table.width(_line("absorbing manual.pdf", progress, 20)) == 20
    assert _line("loading the model", Progress("load", 0, 1), 80) == "loading the model"
    pulled = Progress("download", 1_500_000_000, 9_000_000_000, seconds_left=3.0)
    assert _line("downloading", pulled, 80) == "downloading 1.5 GB of 9.0 GB, 0:03 left"


def test_a_line_is_broken_between_words_and_not_in_a_command() -> None:
    line = "thoth: nothing to do: run `thoth models list --known` or stop"
    assert table.wrap(line, 25) == ["thoth: nothing to do: run", "`thoth models list --known`", "or stop"]
    assert table.wrap("thoth: it's done", 80) == ["thoth: it's done"]
    assert table.wrap("x" * 30, 8) == ["x" * 30]


def test_the_name_of_a_model_is_never_cut(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_is_terminal", lambda: True)
    for columns in (60, 80):
        monkeypatch.setenv("COLUMNS", str(columns))
        listed = CliRunner().invoke(app, ["models", "list"]).stdout.splitlines()
        known = CliRunner().invoke(app, ["models", "list", "--known"]).stdout.splitlines()
        for lines in (listed, known):
            assert "ministral-3-3b" in "".join(lines)
            assert max(map(table.width, lines)) <= columns


def test_long_values_continue_below_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"name": "a.txt", "summary": "The mill grinds rye at night.", "questions": "Who?\nWhen does it grind?"}
    wide = "name       a.txt\nsummary    The mill grinds rye at night.\nquestions  Who?\n           When does it grind?"
    assert table.labelled(values) == wide
    monkeypatch.setattr(table, "_is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "27")
    assert table.labelled(values).splitlines()[1:3] == ["summary    The mill grinds", "           rye at night."]
    assert all(table.width(line) <= 31 for line in table.labelled(values).splitlines())
