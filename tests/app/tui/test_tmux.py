"""The whole app in a real terminal, tmux: keys go in, what is on the screen comes out, and a kill -9 in between."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.terminal import ROOT, Terminal
from tests.app.tui.pages import served
from thoth.chats.sessions import Sessions
from thoth.tui.screens.permission import PermissionDialog

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux"),
]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def is_kept(home: Path) -> bool:
    """Whether the last answer is on the disk: at most a second of one is lost in a crash."""
    chats = Sessions(home)
    last = chats.last()
    return last is not None and chats.turns(last.id)[-1].state == "done"


def test_by_hand(terminal: Terminal, tmp_path: Path) -> None:
    terminal.start()
    terminal.shows("Welcome to Thoth", "Try the example")
    terminal.drop(ROOT / "examples" / "harbour.txt")
    terminal.shows("[x] harbour.txt", "1 active document")
    terminal.send("Escape")
    terminal.lacks("Welcome to Thoth")  # right before another key Escape would be Alt with that key
    terminal.ask("Who is the mayor of Harpool?")
    # The name alone is in the summary too, before the question is asked.
    terminal.shows("supported by harbour.txt", "0 document tokens")
    while not is_kept(tmp_path / "home"):
        time.sleep(0.1)
    terminal.kill()

    terminal.start()  # library and conversation are there
    terminal.shows("[x] harbour.txt", "1 active document")
    terminal.send("C-s")
    terminal.shows("Who is the mayor of Harpool?")
    terminal.send("Enter")
    terminal.shows("Osra Kelland", "1 active document")
    terminal.send("C-n")
    terminal.shows("Then ask about it")
    terminal.send("C-l")  # away with the library, and then there again, with the focus
    terminal.lacks("harbour.txt")
    terminal.send("C-l")
    terminal.shows("harbour.txt")
    time.sleep(0.5)  # the focus comes with the next refresh, which nothing on the screen shows
    terminal.send("Space")
    terminal.shows("[ ] harbour.txt", "0 active documents")
    terminal.send("Escape")  # back to the prompt
    time.sleep(0.5)
    terminal.ask("Who is the mayor of Harpool?")
    terminal.shows("I don't know.")
    assert "Osra Kelland" not in terminal.screen()


def test_nano_reads_a_page_of_this_machine(terminal: Terminal) -> None:
    terminal.start()
    terminal.shows("Welcome to Thoth", "Try the example")
    terminal.send("Escape")
    terminal.lacks("Welcome to Thoth")
    with served() as address:
        terminal.ask(f"Read {address} and tell me who is the mayor of Harpool")
        terminal.shows("web_fetch wants to", f"address: {address}")
        for _ in range(20):  # a busy machine opens the dialog after it painted it, and ignores keys until later
            time.sleep(PermissionDialog.IGNORES_SECONDS)
            terminal.send("o")
            if "web_fetch wants to" not in terminal.screen():
                break
        terminal.shows("web_fetch(", "Osra Kelland", "0 document tokens")
