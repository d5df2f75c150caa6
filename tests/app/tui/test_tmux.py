"""The whole app in a real terminal, tmux: keys go in, what is on the screen comes out, and a kill -9 in between."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 40

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux"),
]


class Terminal:
    """A tmux server of its own, with one window that runs `thoth`."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "tmux"
        self._environment = {**os.environ, "THOTH_HOME": str(folder / "home")}

    def start(self) -> None:
        self._tmux("new-session", "-d", "-s", "thoth", "-x", "110", "-y", "34", f"{sys.executable} -m thoth")

    def send(self, *keys: str) -> None:
        self._tmux("send-keys", "-t", "thoth", *keys)

    def drop(self, path: Path) -> None:
        """What a terminal does with a file that is dropped on it: it pastes the path, bracketed."""
        self._tmux("set-buffer", str(path))
        self._tmux("paste-buffer", "-p", "-t", "thoth")

    def ask(self, question: str) -> None:
        self.send("-l", question)
        self.send("Enter")

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-t", "thoth")

    def shows(self, *texts: str) -> str:
        """Wait until all of these are on the screen."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not all(text in (screen := self.screen()) for text in texts):
            assert time.monotonic() < end, f"{texts} are not in\n{screen}"
            time.sleep(0.1)
        return screen

    def lacks(self, text: str) -> None:
        """Wait until this is gone from the screen."""
        end = time.monotonic() + PATIENCE_SECONDS
        while text in (screen := self.screen()):
            assert time.monotonic() < end, f"{text} is still in\n{screen}"
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill the app in the middle of whatever it does; the window goes with it."""
        os.kill(int(self._tmux("display-message", "-p", "-t", "thoth", "#{pane_pid}")), signal.SIGKILL)
        while (
            subprocess.run(["tmux", "-S", self._socket, "has-session"], capture_output=True, check=False).returncode
            == 0
        ):
            time.sleep(0.05)

    def close(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self._socket), *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def test_by_hand(terminal: Terminal) -> None:
    terminal.start()
    terminal.shows("Welcome to Thoth", "Continue with nano")
    terminal.drop(ROOT / "examples" / "harbour.txt")
    terminal.shows("[x] harbour.txt", "1 active document")
    terminal.send("Escape")
    terminal.lacks("Welcome to Thoth")  # right before another key Escape would be Alt with that key
    terminal.ask("Who is the mayor of Harpool?")
    terminal.shows("Osra Kelland", "0 document tokens")
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
