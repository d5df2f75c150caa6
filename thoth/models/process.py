"""Slow steps of fetching and converting models run in a separate process, which can be stopped."""

from __future__ import annotations

import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from thoth.errors import ModelError, ResourceError, Stopped, ThothError, UsageError

NOT_COMPARED = ("--verify", "0")  # options of a base's conversion; without them PyTorch computes the same

_LOOK_SECONDS = 0.2
_KILL_SECONDS = 10.0
_ERRORS = {kind.exit_code: kind for kind in (ModelError, ResourceError, UsageError)}


def quantised(bits: int | None) -> list[str]:
    """Return the options of `convert-weights` for a base of so many bits."""
    if bits is None:
        return []
    # Where adapters sit, four bits cost answers.
    return ["--q-bits", str(bits), *(["--down-proj-bits", "8"] if bits == 4 else [])]


def converting(source: Path | str, destination: Path, *options: str) -> list[str]:
    """Return the command line that converts weights."""
    program = "from convert.cli import main; main()"
    if options[-2:] == NOT_COMPARED:  # then it needs no PyTorch, which mlx-lm's imports would take 3 s to load
        program = f"import sys; sys.modules.update(torch=None, mistral_common=None); {program}"
    return [sys.executable, "-P", "-c", program, str(source), str(destination), *options]


def run(
    command: list[str],
    should_stop: Callable[[], bool] = lambda: False,
    on_line: Callable[[str], None] = lambda _: None,
) -> None:
    """Run a process to its end; its exit codes are ours, and the last line of its stderr says what went wrong.

    Args:
        command: program and arguments.
        should_stop: is asked several times a second.
        on_line: gets each line of its stdout.

    Raises:
        ThothError: The process failed.
        Stopped: `should_stop` said so; the process has ended.
    """
    with (
        tempfile.TemporaryFile("w+") as stderr,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
        selectors.DefaultSelector() as ready,
    ):
        assert process.stdout is not None
        ready.register(process.stdout, selectors.EVENT_READ)
        try:
            while True:
                if should_stop():
                    raise Stopped("stopped: pull again to resume")
                if ready.select(_LOOK_SECONDS):
                    if not (line := process.stdout.readline()):
                        break
                    on_line(line)
        except BaseException:
            _end(process)
            raise
        if code := process.wait():
            stderr.seek(0)
            lines = [line.strip() for line in stderr if line.strip()]
            reason = lines[-1].removeprefix("convert-weights: ") if lines else f"{command[0]} ended with {code}"
            raise _ERRORS.get(code, ThothError)(reason)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_KILL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
