"""Programs that start in no time: one process imports what they need, and each run is a fork of it. Linux alone.

python -m tests.pages.warm SOCKET     # the process; a run comes as files, folder, environment and arguments
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

# What a program in the PATH is: it hands everything over and ends with the code that comes back.
CLIENT = """#!{python} -SE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as way:
    way.connect({socket!r})
    run = json.dumps([{program!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(way, [len(run).to_bytes(4, "big")], [0, 1, 2])
    way.sendall(run)
    code = way.recv(1)
sys.exit(code[0] if code else 255)
"""


def serve(place: str) -> None:
    """Fork for each run, until killed."""
    from mlx_hypernet.blas import preload_blas

    preload_blas()
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]  # as the command line does
    import mlx_lm  # noqa: F401

    for name in ("engine.engine", "engine.answering", "actions.workspace", "actions.ask", "cli.ask", "ingest.formats"):
        __import__(f"thoth.{name}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen()
        while True:
            way, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _run(way)
            way.close()


def _run(way: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, files, _, _ = socket.recv_fds(way, 4, 3)
    program, arguments, folder, environment = json.loads(_read(way, int.from_bytes(size, "big")))
    for at, file in enumerate(files):
        os.dup2(file, at)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    code = _code(program, arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    way.sendall(bytes([code]))
    os._exit(code)


def _code(program: str, arguments: list[str]) -> int:
    """Run a program as its own process would; returns the exit code."""
    sys.argv = [program, *arguments]
    try:
        if program == "python":
            exec(arguments[0], {"__name__": "__main__"})
        else:
            from thoth.__main__ import main

            main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _read(way: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        parts += way.recv(size - len(parts))
    return parts


def write_client(path: Path, program: str, place: Path) -> None:
    """Write a program that runs in the warm process."""
    text: Any = CLIENT.format(python=sys.executable, socket=str(place), program=program)
    path.write_text(text)
    path.chmod(0o755)


if __name__ == "__main__":
    serve(sys.argv[1])
