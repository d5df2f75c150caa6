"""The first ten minutes with the app, in tmux: a picture of each step, on two sizes, dark and light.

python -m benchmarks.walk [--to docs/tui] [--only 80x24-dark ...]

Everything is real: nano reads the examples and answers. Pictures of the wide terminal are on the page "Ten minutes".
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import harness
from benchmarks.terminal import ROOT, Terminal
from benchmarks.terminal_svg import svg

SIZES = ((120, 36), (80, 24))
# Textual's themes; ground and ink are what the terminal itself would show.
THEMES = {"dark": ("textual-dark", "#121212", "#e0e0e0"), "light": ("textual-light", "#ffffff", "#1f1f1f")}
QUESTION, REFUSED = "Who is the mayor of Harpool?", "Who is the baker of Rosesta?"


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "tui")
    parser.add_argument("--only", nargs="+", default=None, help="kinds of picture: 120x36-dark, 80x24-light, ...")
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    for columns, lines in SIZES:
        for theme, (name, ground, ink) in THEMES.items():
            kind = f"{columns}x{lines}-{theme}"
            if arguments.only is None or kind in arguments.only:
                with tempfile.TemporaryDirectory() as folder:
                    for step, screen in walk(Path(folder), columns, lines, name):
                        path = arguments.to / f"{step}-{kind}.svg"
                        path.write_text(svg(screen, columns, ground, ink), encoding="utf-8")
                        print(path, path.stat().st_size)


def walk(folder: Path, columns: int, lines: int, theme: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each step, and the screen after it."""
    (folder / "home").mkdir()
    (folder / "home" / "settings.toml").write_text(f'theme = "{theme}"\n')
    terminal = Terminal(folder, columns, lines, {"COLORTERM": "truecolor"})
    try:
        terminal.start()
        for step, act in STEPS:
            act(terminal)
            yield step, terminal.settled()
    finally:
        terminal.close()


def _welcome(terminal: Terminal) -> None:
    terminal.shows("Welcome to Thoth")


def _absorb(terminal: Terminal) -> None:
    terminal.send("Escape")
    terminal.lacks("Welcome to Thoth")
    for name in ("harbour.txt", "workshop.md", "regatta.pdf"):
        terminal.drop(ROOT / "examples" / name)
        terminal.shows(name)
    terminal.shows("3 active documents")


def _ask(terminal: Terminal) -> None:
    terminal.ask(QUESTION)
    terminal.shows("Osra Kelland", "Supported by")


def _unsupported(terminal: Terminal) -> None:
    terminal.ask(REFUSED)
    terminal.shows(REFUSED, "not found in the documents")


def _details(terminal: Terminal) -> None:
    terminal.send("C-n")
    terminal.ask(QUESTION)
    terminal.shows("Supported by")
    terminal.send("C-g")
    terminal.shows("Esc closes")


def _compare(terminal: Terminal) -> None:
    terminal.send("Escape")
    terminal.send("C-t")
    terminal.shows("document in context")


def _library(terminal: Terminal) -> None:
    terminal.send("Escape")
    terminal.send("C-l")


def _commands(terminal: Terminal) -> None:
    terminal.send("Escape")
    terminal.send("-l", "/")


def _help(terminal: Terminal) -> None:
    terminal.send("C-u")
    terminal.send("F1")
    terminal.shows("Help")


STEPS: tuple[tuple[str, Callable[[Terminal], None]], ...] = (
    ("welcome", _welcome),
    ("absorbed", _absorb),
    ("answer", _ask),
    ("unsupported", _unsupported),
    ("details", _details),
    ("compare", _compare),
    ("library", _library),
    ("commands", _commands),
    ("help", _help),
)


if __name__ == "__main__":
    main()
