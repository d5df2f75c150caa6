"""Copying: with the system's clipboard program if there is one, else with the terminal's OSC 52."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from textual.app import App

# Terminals drop longer OSC 52 sequences without a word.
_MOST_BYTES = 74_000
_PROGRAM_SECONDS = 5


def program() -> list[str] | None:
    """Return the command that sets the clipboard; None over ssh, or if there is none."""
    if os.environ.get("SSH_CONNECTION"):
        return None  # it would set the clipboard of the other machine
    if sys.platform == "darwin":
        return ["pbcopy"] if shutil.which("pbcopy") else None
    if os.environ.get("WAYLAND_DISPLAY") and shutil.which("wl-copy"):
        return ["wl-copy"]
    if os.environ.get("DISPLAY") and shutil.which("xclip"):
        return ["xclip", "-selection", "clipboard"]
    return None


def by_program(text: str) -> bool:
    """Copy with the system's program and return whether it worked. Blocks: call it on a thread."""
    if (command := program()) is None:
        return False
    try:
        # Its output goes nowhere: xclip stays in the background and would hold a pipe open.
        subprocess.run(
            command,
            input=text.encode("utf-8", "replace"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PROGRAM_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def by_terminal(app: App[object], text: str) -> str:
    """Ask the terminal to copy; returns a message for the user, because terminals do not confirm it."""
    if len(text.encode("utf-8", "replace")) > _MOST_BYTES:
        return "Too long for the terminal's clipboard; use /export FILE"
    app.copy_to_clipboard(text.encode("utf-8", "replace").decode("utf-8"))
    return "Sent to the terminal's clipboard. If it is not there, the terminal does not allow it; use /export FILE"
