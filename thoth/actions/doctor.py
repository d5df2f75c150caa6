"""What is installed, what fits, what is slow, what is broken, and how to fix it."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from mlx_hypernet.format.published import is_fp8
from thoth import settings
from thoth.actions.wording import count
from thoth.errors import DocumentError, ThothError
from thoth.events import Progress
from thoth.ingest.names import shown
from thoth.library.library import Library
from thoth.library.records import StoredDocument
from thoth.models import plan, registry
from thoth.models.registry import Pair
from thoth.system import disk, machine, paths
from thoth.system.machine import size
from thoth.system.version import __version__

Verdict = Literal["ok", "slow", "wrong"]

_LEAST_FREE_DISK = 1 << 30


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        about: what was checked.
        verdict: "ok", "slow" (it works, but not as well as it could) or "wrong".
        text: what was found.
        remedy: what to do; empty if there is nothing to do.
    """

    about: str
    verdict: Verdict
    text: str
    remedy: str = ""


def examine(home: Path) -> Iterator[Finding]:
    """Run all checks; nothing is changed."""
    yield Finding(
        "thoth", "ok", f"{__version__}, Python {platform.python_version()} on {platform.platform(terse=True)}"
    )
    yield from _arithmetic()
    yield from _room(home)
    yield from _settings()
    yield from _pairs()
    yield from _library(home)


def repair(home: Path, listener: Callable[[StoredDocument, Progress], object]) -> Iterator[str]:
    """Repair the library, absorb again what was damaged, and remove the leftovers of killed processes.

    Args:
        home: with the library.
        listener: gets each document that is absorbed again, with its progress.

    Yields:
        A line for each change, and for what could not be repaired.
    """
    library = Library(home)
    yield from library.repair()
    for folder in _leftovers():
        shutil.rmtree(folder, ignore_errors=True)
        yield f"removed {folder}, left by an interrupted pull"
    try:
        yield from _absorb_again(library, listener)
    except ThothError as error:  # no model, a full disk: the checks that follow are of use all the same
        yield f"what is missing could not be absorbed again: {error}"


def _absorb_again(library: Library, listener: Callable[[StoredDocument, Progress], object]) -> Iterator[str]:
    """Absorb the missing chunks of documents from their stored texts."""
    spoiled = {stored.id for stored in library.spoiled_texts()}
    missing = [stored for stored in library.documents() if not stored.complete and stored.id not in spoiled]
    if not missing:
        return
    from thoth.actions import update, workspace  # MLX

    chosen = settings.load(paths.settings())
    pair = registry.choose(chosen.model)
    bundle = registry.bundle_id(pair)
    for stored in missing:
        if not stored.is_of(bundle):
            lacks = f"{stored.name}: another model absorbed it, and {_chunks(stored)} missing"
            yield f"{lacks}; `thoth docs update {stored.id}` absorbs it with {pair.name}"
    ours = [stored for stored in missing if stored.is_of(bundle)]
    if not ours:
        return
    with workspace.load(pair, chosen) as opened:
        for stored in ours:
            try:
                update.complete(opened.engine, opened.library, stored, partial(listener, stored))
            except DocumentError as error:
                yield f"{stored.name}: {_chunks(stored)} missing and could not be absorbed again: {error}"
            else:
                yield f"{stored.name}: {_chunks(stored)} absorbed again from its stored text"


def _chunks(stored: StoredDocument) -> str:
    """Return how many chunks are not absorbed, with the verb: "1 chunk was", "3 chunks were"."""
    number = stored.chunks - stored.absorbed
    return f"{count(number, 'chunk')} {'was' if number == 1 else 'were'}"


def _arithmetic() -> Iterator[Finding]:
    from mlx_hypernet.blas import preload_blas

    blas = preload_blas()
    try:
        import mlx.core as mx

        device = mx.default_device()
        kind = "GPU" if device == mx.Device(mx.gpu) else "CPU"
        yield Finding("mlx", "ok", f"{version('mlx')}, mlx-lm {version('mlx-lm')}, on the {kind}")
    except (ImportError, PackageNotFoundError) as error:
        yield Finding("mlx", "wrong", f"cannot be imported ({error})", "reinstall Thoth in a new virtual environment")
        return
    if sys.platform.startswith("linux"):
        if blas is None:
            remedy = "install OpenBLAS: `sudo apt-get install libopenblas0`, or the package of your system"
            yield Finding(
                "matrix products", "slow", "OpenBLAS is missing, which makes them about 50 times slower", remedy
            )
        else:
            yield Finding("matrix products", "ok", f"use {blas}")
    elif kind == "CPU":
        yield Finding("matrix products", "slow", "run on the CPU", "use a Mac with Apple silicon and a native Python")
    torch = "installed" if plan.has_torch() else "not installed; only `thoth models pull` and training need it"
    yield Finding("torch", "ok", torch)


def _room(home: Path) -> Iterator[Finding]:
    free = machine.free_memory()
    said = "" if free is None else f", {size(free)} free"
    yield Finding("memory", "ok", f"{size(machine.total_memory())}{said}")
    space = machine.free_disk(home)
    if disk.is_read_only(home):
        remedy = f"documents can still be listed and asked; to change them, {_elsewhere(home)}"
        yield Finding("disk", "wrong", f"{home} is read-only", remedy)
    elif disk.is_full(home):
        remedy = "documents can still be listed, asked and removed; to absorb more, free some space"
        yield Finding("disk", "wrong", f"the disk with {home} is full", remedy)
    elif space < _LEAST_FREE_DISK:
        remedy = "free some space, or set THOTH_HOME to a folder on a larger disk"
        yield Finding("disk", "wrong", f"{size(space)} free in {home}", remedy)
    else:
        yield Finding("disk", "ok", f"{size(space)} free in {home}")


def _elsewhere(home: Path) -> str:
    kind = "mount its disk for writing" if disk.is_on_read_only_disk(home) else "change its permissions"
    return f"{kind} or set THOTH_HOME"


def _settings() -> Iterator[Finding]:
    path = paths.settings()
    try:
        given = settings.read(path)
        settings.load(path)
    except ThothError as error:
        yield Finding("settings", "wrong", str(error))
        return
    keys = (
        f"sets {', '.join(given)}" if given else "sets nothing" if path.exists() else "does not exist; using defaults"
    )
    yield Finding("settings", "ok", f"{path} {keys}")


def _pairs() -> Iterator[Finding]:
    try:
        used = registry.choose(settings.load(paths.settings()).model)
        pairs = {used.name: used, registry.NANO: registry.resolve(registry.NANO)} | registry.installed()
    except ThothError as error:
        yield Finding("model", "wrong", str(error))
        return
    for pair in pairs.values():
        yield _pair(pair, pair.name == used.name)
    for folder in _leftovers():
        yield Finding("model", "wrong", f"{folder} was left by an interrupted pull", "run `thoth doctor --repair`")


def _pair(pair: Pair, used: bool) -> Finding:
    from mlx_hypernet.bundle import BundleError, read_config

    name = f"{pair.name}, in use" if used else pair.name
    try:
        bundle = read_config(pair.bundle)
    except BundleError as error:
        return Finding("model", "wrong", f"{name}: {error}")
    base = registry.config(pair.base)
    if not base:
        remedy = "pull or convert the base again"
        return Finding("model", "wrong", f"{name}: cannot read {pair.base / 'config.json'}", remedy)
    if is_fp8(base):
        remedy = f"run `convert-weights {pair.base} DST`"
        return Finding("model", "wrong", f"{name}: the base has FP8 weights, which mlx-lm reads wrongly", remedy)
    weights = pair.weight_bytes
    quantised = "quantization" in base
    if sys.platform != "darwin" and base.get("dtype", base.get("torch_dtype")) == "bfloat16" and not quantised:
        weights *= 2  # loaded as fp32
    if weights > machine.total_memory():
        remedy = f"run `thoth models pull {pair.name} --bits 4 --force`, or use a smaller pair"
        return Finding("model", "wrong", f"{name}: {size(weights)} of weights do not fit in memory", remedy)
    taken, chunk = f"{size(weights)} of weights in memory", bundle.max_chunk_tokens
    recall = registry.recall(pair)
    recalled = "recall not measured" if recall is None else f"recalls {recall:.0%} of facts without their text"
    rank = bundle.hypernet.rank
    return Finding("model", "ok", f"{name}: {taken}, chunks of {chunk} tokens, rank {rank} each, {recalled}")


def _library(home: Path) -> Iterator[Finding]:
    library = Library(home)
    try:
        documents = library.documents()
    except ThothError as error:
        yield Finding("library", "wrong", str(error), "run `thoth doctor --repair`")
        return
    taken = size(sum(document.bytes for document in documents))
    active = sum(document.active for document in documents)
    yield Finding("library", "ok", f"{count(len(documents), 'document')}, {active} active, {taken}")
    yield from _integrity(library)
    try:
        bundle = registry.bundle_id(registry.choose(settings.load(paths.settings()).model))
    except ThothError:
        return  # reported above
    states = [document.state(bundle) for document in documents if document.active]
    if stale := states.count("stale"):
        text = f"{count(stale, 'active document')} absorbed with another model"
        yield Finding("library", "slow", text, "run `thoth docs update`")
    if unfinished := states.count("absorbing"):
        text = f"{count(unfinished, 'active document')} not completely absorbed"
        yield Finding("library", "slow", text, "run `thoth docs update`")


def _integrity(library: Library) -> Iterator[Finding]:
    """Compare adapters and texts with their checksums."""
    damaged, spoiled = library.damaged(), library.spoiled_texts()
    for damage in damaged:
        yield Finding("adapters", "wrong", f"{damage.path} is damaged or missing", "run `thoth doctor --repair`")
    for stored in spoiled:
        source = shown(stored.source) if stored.source else "its file"
        remedy = f"run `thoth docs remove {stored.id}`, then absorb {source} again"
        yield Finding("text", "wrong", f"the stored text of {stored.name} is damaged or missing", remedy)
    if not damaged and not spoiled:
        yield Finding("adapters", "ok", "each has the SHA-256 that it was written with")


def _leftovers() -> list[Path]:
    return sorted(folder for folder in paths.models().glob(".*-*") if folder.is_dir())
