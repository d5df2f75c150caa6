"""`thoth` in a real terminal, tmux: keys go in, what is on the screen comes out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 300  # then something is broken


class Terminal:
    """A tmux server of its own, with one window.

    Args:
        folder: for its socket, and for Thoth's home.
        columns: width of the window, in characters.
        lines: height of the window.
        environment: further variables.
    """

    def __init__(
        self, folder: Path, columns: int = 110, lines: int = 34, environment: Mapping[str, str] | None = None
    ) -> None:
        self._socket = folder / "tmux"
        self._size = ("-x", str(columns), "-y", str(lines))
        self._environment = {**os.environ, "THOTH_HOME": str(folder / "home"), **(environment or {})}

    def start(self, command: str = f"{sys.executable} -m thoth") -> None:
        """Open the window with a program in it."""
        # Without tmux's own line at the bottom; at once, an Escape is no beginning of another key.
        options = ("set-option", "-g", "status", "off", ";", "set-option", "-s", "escape-time", "0", ";")
        self._tmux(
            "-f", "/dev/null", "start-server", ";", *options, "new-session", "-d", "-s", "thoth", *self._size, command
        )

    def send(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self._tmux("send-keys", "-t", "thoth", *keys)

    def drop(self, path: Path | str) -> None:
        """Do what a terminal does with a file that is dropped on it: it pastes the path, bracketed."""
        self._tmux("set-buffer", str(path))
        self._tmux("paste-buffer", "-p", "-t", "thoth")

    def ask(self, question: str) -> None:
        """Type a question and send it."""
        self.send("-l", question)
        self.send("Enter")

    def screen(self, *, colours: bool = False) -> str:
        """Return what is on the screen; with colours, as a terminal is told them."""
        return self._tmux("capture-pane", "-p", *(("-e", "-N") if colours else ()), "-t", "thoth")

    def shows(self, *texts: str) -> str:
        """Wait until all of these are on the screen."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not all(text in (screen := self.screen()) for text in texts):
            if time.monotonic() > end:
                raise AssertionError(f"{texts} are not in\n{screen}")
            time.sleep(0.1)
        return screen

    def lacks(self, text: str) -> None:
        """Wait until this is gone from the screen."""
        end = time.monotonic() + PATIENCE_SECONDS
        while text in (screen := self.screen()):
            if time.monotonic() > end:
                raise AssertionError(f"{text} is still in\n{screen}")
            time.sleep(0.1)

    def settled(self, seconds: float = 1.0) -> str:
        """Return the screen with its colours, once it has not changed for so long."""
        end = time.monotonic() + PATIENCE_SECONDS
        before = ""
        while (screen := self.screen(colours=True)) != before:
            if time.monotonic() > end:
                raise AssertionError("the screen changes all the time")
            before = screen
            time.sleep(seconds)
        return screen

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of the window."""
        self._tmux("resize-window", "-t", "thoth", "-x", str(columns), "-y", str(lines))

    def kill(self) -> None:
        """Kill the program in the middle of whatever it does; the window goes with it."""
        os.kill(int(self._tmux("display-message", "-p", "-t", "thoth", "#{pane_pid}")), signal.SIGKILL)
        while (
            subprocess.run(["tmux", "-S", self._socket, "has-session"], capture_output=True, check=False).returncode
            == 0
        ):
            time.sleep(0.05)

    def close(self) -> None:
        """End the server and what runs in it."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self._socket), *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=True)
        return done.stdout
