"""One command over one hostile input, under limits: what it printed, what it used, and what is wrong with that.

A command runs in a copy of this process that has everything imported already (`fork`): a sweep of a thousand commands
takes minutes, not hours. Where the place that a process starts in matters (files that shadow imports), it is started.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import harness
from thoth.system import usage

ROOT = Path(__file__).resolve().parent.parent
CANARY = "work/EXECUTED"  # relative to the folder that the commands run in: the payloads touch it
CPU_SECONDS = 60
MOST_BYTES = 8 << 30  # of addresses
_STILL_SECONDS = 60  # without using the processor, on a machine that other work may keep busy
_INTERNAL = re.compile(r"Traceback|internal error|should not have happened|unexpected error|_REGISTER_AT_FORK")
# What a command says while it works, in front of its result.
_PROGRESS = re.compile(r"(?:thoth: nano, the built-in model|converting the |Fetching )")


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: exit code; negative for a signal.
        hung: it had to be killed.
        output, errors: what it printed.
        cpu_seconds: processor time of its own and of the processes that it waited for.
        peak_bytes: largest resident size of any of them.
        executed: the canary was touched.
    """

    code: int
    hung: bool
    output: str
    errors: str
    cpu_seconds: float
    peak_bytes: int
    executed: bool

    @property
    def lines(self) -> list[str]:
        """The lines on stderr that are no progress."""
        return [line for line in self.errors.splitlines() if line.strip() and not _PROGRESS.match(line)]

    def faults(self) -> list[str]:
        """Return what is wrong, by the columns of the table; empty for a result or a refusal in one line."""
        found = []
        if self.executed:
            found.append("code executed")
        if self.hung or -self.code in (signal.SIGXCPU, signal.SIGKILL):
            found.append("hang")
        elif self.code < 0:
            found.append("crash")
        if _INTERNAL.search(self.errors):
            found.append("internal error")
        elif not found and (len(self.lines) != 1 if self.code else len(self.lines) > 1):
            found.append("not one line")
        return found


def preload(with_torch: bool) -> None:
    """Import what the commands use, once, before any of them runs.

    Args:
        with_torch: the commands are those of `convert` and `torch_train`; `thoth` runs without torch.
    """
    from mlx_hypernet.blas import preload_blas

    preload_blas()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # as the commands do before they import it
    if with_torch:
        import torch

        import convert.base.model
        import convert.cli
        import convert.conversion
        import convert.gguf.model  # noqa: F401
        import torch_train.data.__main__  # noqa: F401

        torch.set_num_threads(1)
    else:
        sys.modules.setdefault("torch", None)  # type: ignore[arg-type]
        import thoth.cli
        import thoth.engine.answering
        import thoth.engine.engine
        import thoth.models.add  # noqa: F401
    import mlx_lm.models.ministral3  # noqa: F401
    import transformers  # noqa: F401


def warm(work: Path, command: Callable[[], object]) -> None:
    """Import what a command imports while it runs: it runs once, in a copy of this process that names its modules."""
    names = work / "modules"

    def named() -> None:
        try:
            command()
        finally:
            names.write_text("\n".join(sys.modules))

    if (ended := fork(work, named)).code:
        raise RuntimeError(f"a command over nano itself fails: {ended.errors}")
    for name in names.read_text().splitlines():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def thoth(*arguments: object) -> Callable[[], object]:
    """`thoth ...`."""

    def run() -> object:
        from thoth.cli import app

        return app([*map(str, arguments)])

    return run


def convert_weights(*arguments: object) -> Callable[[], object]:
    """`convert-weights ...`."""

    def run() -> object:
        from convert.cli import app

        return app([*map(str, arguments)])

    return run


def training_data(*arguments: object) -> Callable[[], object]:
    """`python -m torch_train.data ...`."""

    def run() -> object:
        from torch_train.data.__main__ import main

        return main([*map(str, arguments)])

    return run


def fork(work: Path, command: Callable[[], object], cpu_seconds: int = CPU_SECONDS) -> Ended:
    """Run a command in a copy of this process, in the folder `work`, with "y" on its standard input."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _child(work, command, cpu_seconds)  # does not return
    return _wait(work, pid)


def start(work: Path, arguments: Sequence[object], folder: Path) -> Ended:
    """Start `python ARGUMENTS` in a folder that may shadow what it imports, with "y" on its standard input."""
    with (work / "stdin").open("rb") as asked, (work / "out").open("wb") as out, (work / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "THOTH_HOME": str(work / "home")},
            stdin=asked,
            stdout=out,
            stderr=err,
            preexec_fn=lambda: _limit(CPU_SECONDS),
        )
    ended = _wait(work, process.pid)
    process.returncode = ended.code  # it was waited for above
    return ended


def prepare(work: Path) -> None:
    """Make the folder that commands run in."""
    (work / "work").mkdir(parents=True, exist_ok=True)
    (work / "stdin").write_text("y\n" * 50)


def _limit(cpu_seconds: int) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    if sys.platform == "linux":  # what never ends must not take the machine's memory
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))


def _child(work: Path, command: Callable[[], object], cpu_seconds: int) -> None:
    code = 1
    try:
        _limit(cpu_seconds)
        os.chdir(work)
        os.environ["THOTH_HOME"] = str(work / "home")
        for number, (name, flags) in enumerate(
            (("stdin", os.O_RDONLY), ("out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), ("err", os.O_WRONLY | os.O_CREAT))
        ):
            if name == "err":
                flags |= os.O_TRUNC
            os.dup2(os.open(name, flags, 0o600), number)
        sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
        sys.stderr = os.fdopen(2, "w", errors="backslashreplace")  # as Python opens its own
        sys.argv = ["command"]
        try:
            command()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
            if isinstance(ended.code, str):
                print(ended.code, file=sys.stderr)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        _end_helpers()
    finally:
        os._exit(code)


def _end_helpers() -> None:
    """End the processes that read files and render templates: `os._exit` would leave them to find out."""
    from mlx_hypernet.format import rendering
    from thoth.ingest import reader_process

    reader_process.shared().close()
    rendering._RENDERER.close()


def _wait(work: Path, pid: int) -> Ended:
    cpu, changed, hung = -1.0, time.monotonic(), False
    while True:
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        now = usage.of(pid).cpu_seconds + sum(usage.of(child).cpu_seconds for child in _children(pid))
        if now != cpu:
            cpu, changed = now, time.monotonic()
        elif time.monotonic() > changed + _STILL_SECONDS and not hung:
            hung = True
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.05)
    canary = work / CANARY
    executed = canary.exists()
    canary.unlink(missing_ok=True)
    return Ended(
        code=os.waitstatus_to_exitcode(status),
        hung=hung,
        output=(work / "out").read_text(errors="replace")[-4000:],
        errors=(work / "err").read_text(errors="replace")[-20_000:],
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_bytes=harness.peak_memory_bytes(used),
        executed=executed,
    )


def _children(pid: int) -> list[int]:
    """The processes that a process has started."""
    try:
        found = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for children in found for child in children]
