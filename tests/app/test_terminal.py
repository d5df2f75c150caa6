"""What reaches a terminal: no command, whichever way a document, a name or an answer carries it."""

import io
import json
import logging
import re
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from thoth.cli import app, console
from thoth.events import Progress
from thoth.system import terminal

FIXTURES = Path(__file__).parents[1] / "fixtures" / "terminal"
# What Thoth itself writes: the progress line's erasure, the colours of labels.
OWN = re.compile(r"\r\x1b\[K|\x1b\[(?:32|33|0)m")
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ODD_NAME = "red\x1b[31m\u202egpj.txt"


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


Run = Callable[..., str]


@pytest.fixture
def run(tiny_pair: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `thoth` with both streams on a terminal; returns what they got."""
    monkeypatch.setenv("THOTH_MODEL", str(tiny_pair))

    def command(*arguments: str | Path) -> str:
        screen = Screen()
        for name in ("stdout", "stderr"):
            monkeypatch.setattr(sys, name, screen)
        terminal.guard()
        with pytest.raises(SystemExit):
            app([*map(str, arguments)], prog_name="thoth")
        return screen.getvalue()

    return command


def test_every_command(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    shutil.copytree(FIXTURES, folder)
    shutil.copy(FIXTURES / "sourced.txt", folder / ODD_NAME)
    question = "Who is the mayor of Harpool?"
    commands: list[tuple[str | Path, ...]] = [
        ("absorb", folder),
        ("absorb", tmp_path / "missing\x1b[2J.txt"),
        ("ask", "--sources", "--max-tokens", "4", question),
        ("ask", "--compare", "--max-tokens", "4", "--doc", folder / ODD_NAME, question),
        ("docs", "list"),
        *(("docs", "show", *how, name.name) for name in FIXTURES.iterdir() for how in ((), ("--text",), ("--chunks",))),
        ("docs", "rename", "content.md", "new\x1b]0;pwned\x07"),
        ("docs", "show", "none\x1b[31m"),
        ("docs", "deactivate", "sourced.txt"),
        ("docs", "remove", "--yes", "sourced.md"),
        ("models", "use", "\x1b[31mno-such-model"),
        ("ask", "--odd\x1b[31m"),
        ("doctor",),
    ]
    for command in commands:
        shown = OWN.sub("", run(*command))
        found = COMMANDS.search(shown)
        assert found is None, f"{command}: {shown[max(0, found.start() - 60) : found.start() + 20]!r}"
    assert r"\x1b]52" in run("docs", "show", "--text", "content.txt")  # it is seen, not obeyed


def test_pipes_get_the_text_as_it_is(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(FIXTURES / "content.txt", tmp_path)
    run("absorb", tmp_path / "content.txt")

    def piped(*arguments: str) -> str:
        pipe = io.StringIO()
        monkeypatch.setattr(sys, "stdout", pipe)
        terminal.guard()
        with pytest.raises(SystemExit):
            app([*arguments, "content.txt"], prog_name="thoth")
        return pipe.getvalue()

    assert "\x1b[2J" in piped("docs", "show", "--text")
    assert "\x1b[2J" in json.loads(piped("docs", "show", "--text", "--json"))["text"]


def test_printable_text_keeps_what_people_write() -> None:
    text = "caf\u00e9\t\U0001f468\u200d\U0001f469 \u0645\u0631\u062d\u0628\u0627\n\u65e5\u672c\u8a9e"
    assert terminal.printable(text) == text
    assert terminal.printable("a\x1b[2J\x9b1m\u202eb\rc\udc80") == r"a\x1b[2J\x9b1m\u202eb\rc\udc80"


def test_the_app_draws_nothing_that_a_terminal_obeys() -> None:
    from thoth.tui.safe_text import SafeText

    link = Style(link="http://a\x1b\\\x1b]52;c;aGk=\x07")
    drawn = SafeText().apply([Segment("a\x1b]0;x\x07b"), Segment("click", link), Segment("plain")], Color(0, 0, 0))
    assert [segment.text for segment in drawn] == ["a]0;xb", "click", "plain"]
    assert not any(segment.style.link for segment in drawn if segment.style is not None)


async def test_the_app_uses_it(tmp_path: Path) -> None:
    from textual.app import ComposeResult
    from textual.geometry import Region
    from textual.screen import Screen as TextualScreen
    from textual.widgets import Static

    from tests.app.tui.fakes import FakeEngine
    from thoth.tui.app import ThothApp

    class Danger(TextualScreen[None]):
        def compose(self) -> ComposeResult:
            yield Static("danger \x1b]52;c;aGk=\x07 here", markup=False)

    application = ThothApp(tmp_path, None, lambda library: FakeEngine(library))
    async with application.run_test(size=(80, 24)) as pilot:
        screen = Danger()
        await application.push_screen(screen)
        await pilot.pause()
        static = screen.query_one(Static)
        drawn = "".join(strip.text for strip in static.render_lines(Region(0, 0, 40, 1)))
        assert "danger" in drawn
        assert not COMMANDS.search(drawn)


async def test_warnings_are_notices_in_the_app(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from tests.app.tui.fakes import FakeEngine
    from thoth.tui.app import ThothApp

    core = logging.getLogger("thoth")
    before = core.handlers
    application = ThothApp(tmp_path, None, lambda library: FakeEngine(library))
    async with application.run_test(size=(80, 24)) as pilot:
        thread = threading.Thread(target=core.getChild("ingest").warning, args=("no text on page %d", 3))
        thread.start()
        thread.join()
        await pilot.pause()
        [notice] = application._notifications
        assert (notice.message, notice.severity) == ("no text on page 3", "warning")
    assert core.handlers is before
    assert "no text" not in capfd.readouterr().err


@pytest.mark.parametrize("program", ["convert-weights", "torch_train.data"])
def test_the_other_programs(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model folder's own words are quoted in their messages."""
    pytest.importorskip("torch")
    screen = Screen()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, screen)
    base = tmp_path / ODD_NAME
    base.mkdir()
    (base / "config.json").write_text(json.dumps({"model_type": "x\x1b[2J", "auto_map": "a\u202eb"}))
    if program == "convert-weights":
        from convert.cli import main

        monkeypatch.setattr(sys, "argv", ["convert-weights", str(base), "--inspect"])
    else:
        from functools import partial

        from torch_train.data import __main__

        main = partial(__main__.main, ["niah", str(tmp_path / "needles"), "--rows", "1", "--tokenizer", str(base)])
    with pytest.raises(SystemExit):
        main()
    said = screen.getvalue()
    assert "gpj.txt" in said
    assert not COMMANDS.search(said)


def test_a_label_is_coloured_and_what_it_quotes_is_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, screen)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal.guard()
    console.label("Supported by \x1b[2Jnote.txt", good=True)
    assert screen.getvalue() == "\x1b[32m\nSupported by \\x1b[2Jnote.txt\x1b[0m\n"
    screen.truncate(screen.seek(0))
    monkeypatch.setenv("NO_COLOR", "1")
    console.label("Supported by note.txt", good=True)
    monkeypatch.setenv("TERM", "dumb")
    console.progress_line.show("absorbing", Progress("absorb", 1, 2))
    assert screen.getvalue() == "\nSupported by note.txt\n"


def test_letters_that_a_locale_lacks_are_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.TextIOWrapper(io.BytesIO(), "latin-1")
    monkeypatch.setattr(sys, "stdout", pipe)
    terminal.guard()
    pipe.write("é … \udc80")
    pipe.flush()
    assert pipe.buffer.getvalue() == b"\xe9 \\u2026 \\udc80"  # type: ignore[attr-defined]
