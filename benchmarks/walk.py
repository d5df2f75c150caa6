"""The first ten minutes with the app, in tmux: a picture of each step, on two sizes, dark and light.

python -m benchmarks.walk [--to docs/tui] [--only dark]

Everything is real: nano reads the examples and answers. Pictures of the wide terminal are on the page "Ten minutes".
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import harness
from benchmarks.terminal import ROOT, Terminal
from benchmarks.terminal_svg import svg

SIZES = ((120, 36), (80, 24))
# Textual's themes; ground and ink are what the terminal itself would show.
THEMES = {"dark": ("textual-dark", "#121212", "#e0e0e0"), "light": ("textual-light", "#ffffff", "#1f1f1f")}
_RESIZED_SECONDS = 4.0  # a busy machine draws a new size late
QUESTION, REFUSED = "Who is the mayor of Harpool?", "Who is the baker of Rosesta?"


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "tui")
    parser.add_argument("--only", nargs="+", default=None, choices=THEMES, help="dark or light")
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    for theme in arguments.only or THEMES:
        name, ground, ink = THEMES[theme]
        with tempfile.TemporaryDirectory() as folder:
            for step, (columns, lines), screen in walk(Path(folder), name):
                path = arguments.to / f"{step}-{columns}x{lines}-{theme}.svg"
                path.write_text(svg(screen, columns, ground, ink), encoding="utf-8")
                print(path, path.stat().st_size, flush=True)


def walk(folder: Path, theme: str) -> Iterator[tuple[str, tuple[int, int], str]]:
    """Yield the name of each step, a size, and the screen after the step in this size."""
    (folder / "home").mkdir()
    (folder / "home" / "settings.toml").write_text(f'theme = "{theme}"\n')
    terminal = Terminal(folder, *SIZES[0], {"COLORTERM": "truecolor"})
    try:
        terminal.start()
        for step, act in STEPS:
            act(terminal)
            yield step, SIZES[0], terminal.settled()
            for size in SIZES[1:]:
                terminal.resize(*size)
                yield step, size, terminal.settled(_RESIZED_SECONDS)
            terminal.resize(*SIZES[0])
            terminal.settled()
    finally:
        terminal.close()


def _welcome(terminal: Terminal) -> None:
    terminal.shows("Welcome to Thoth")


def _absorb(terminal: Terminal) -> None:
    _close(terminal, "Welcome to Thoth")
    for name in ("harbour.txt", "workshop.md", "regatta.pdf"):
        terminal.drop(ROOT / "examples" / name)
        terminal.shows(name)
    terminal.shows("3 active documents")


def _ask(terminal: Terminal) -> None:
    terminal.ask(QUESTION)
    terminal.shows("Osra Kelland", "supported by")


def _unsupported(terminal: Terminal) -> None:
    terminal.ask(REFUSED)
    terminal.shows(REFUSED, "nothing in your documents supports")


def _details(terminal: Terminal) -> None:
    terminal.send("C-n")
    terminal.ask(QUESTION)
    terminal.shows("supported by")
    terminal.settled()
    terminal.send("C-g")
    terminal.shows("Answer details")


def _compare(terminal: Terminal) -> None:
    _close(terminal, "Answer details")
    terminal.send("C-t")
    terminal.shows("three ways", "Osra Kelland")
    terminal.settled(8)  # the other two answers follow


def _library(terminal: Terminal) -> None:
    _close(terminal, "three ways")
    if "[x] harbour.txt" in terminal.screen():  # it is shown, but does not have the focus
        terminal.send("C-l")
        terminal.lacks("[x] harbour.txt")
    terminal.send("C-l")
    terminal.shows("[x] harbour.txt", "space Use")  # the keys of the list: it has the focus


def _commands(terminal: Terminal) -> None:
    terminal.send("Escape")
    time.sleep(1)  # the focus comes back with the next refresh, which nothing on the screen shows
    terminal.send("-l", "/")
    terminal.shows("/absorb")


def _help(terminal: Terminal) -> None:
    terminal.send("BSpace")
    terminal.lacks("/absorb")
    terminal.send("F1")
    terminal.shows("Esc closes")


def _close(terminal: Terminal, dialog: str) -> None:
    """Close a dialog; right before another key Escape would be Alt with that key."""
    terminal.send("Escape")
    terminal.lacks(dialog)


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
