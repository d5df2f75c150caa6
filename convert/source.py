"""What SRC is: a file, a folder or a repository on the hub, and which kind of weights it holds."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from errno import ENOSPC
from pathlib import Path, PurePosixPath
from typing import Any

from convert.errors import CheckpointError, ResourceError, one_line
from mlx_hypernet.format import installing
from mlx_hypernet.format.published import PICKLE_FILE, UNWANTED, WANTED, hub_place
from mlx_hypernet.format.vetting import VettingError, check_files

GGUF_MAGIC = b"GGUF"
_LOGIN = installing.hub("auth", "login")


class Kind(StrEnum):
    """What a path holds."""

    TRAINING = "training checkpoint"
    REFERENCE = "reference checkpoint"
    BASE = "base model"
    GGUF = "GGUF file"
    BUNDLE = "bundle"


@dataclass(frozen=True)
class Source:
    """Weights on this machine.

    Attributes:
        path: a folder, the `pytorch_model.bin` of a reference checkpoint, or a GGUF file.
        kind: what is there.
        repository, revision: where on the hub it came from.
    """

    path: Path
    kind: Kind
    repository: str | None = None
    revision: str | None = None


def find(name: str, say: Callable[[str], None]) -> Source:
    """Find what a user calls SRC or --base.

    Args:
        name: a path, or `owner/name[/folder][@revision]` on the hub where no such path exists.
        say: called with what will be downloaded.

    Raises:
        CheckpointError: when nothing is there, nothing usable, or several checkpoints to choose from.
        ResourceError: when a download does not fit on the disk.
    """
    path = Path(os.path.expanduser(name))
    if path.exists():
        return _identify(path, name)
    if (place := hub_place(name)) is None:
        raise CheckpointError(f"{name} does not exist")
    repository, subfolder, revision = place
    snapshot = _download(name, repository, revision, subfolder, say)
    found = _identify(snapshot / subfolder, name)
    return Source(found.path, found.kind, repository, snapshot.name)


def _identify(path: Path, name: str) -> Source:
    if path.is_file():
        if path.suffix == ".gguf" or _begins_with(path, GGUF_MAGIC):  # Ollama's files have no ending
            return Source(path, Kind.GGUF)
        if path.suffix != ".bin":
            raise CheckpointError(f"{name} is not a checkpoint: give a folder, a {PICKLE_FILE}, or a GGUF file")
        return Source(path, Kind.REFERENCE)
    if source := _in_folder(path):
        return source
    below = sorted((p for pattern in ("*", "*/*", "*/*/*") for p in path.glob(pattern) if p.is_dir()), key=_natural)
    found = [source for folder in below if (source := _in_folder(folder))]
    checkpoints = [source for source in found if source.kind in (Kind.TRAINING, Kind.REFERENCE)]
    if len(checkpoints) == 1:
        return checkpoints[0]
    if checkpoints:
        folders = [source.path if source.path.is_dir() else source.path.parent for source in checkpoints]
        raise CheckpointError(_choose(name, [folder.relative_to(path).as_posix() for folder in folders]))
    raise CheckpointError(
        f"{name} is not a training checkpoint: no config.json with model.safetensors and no {PICKLE_FILE} in it"
    )


def _in_folder(folder: Path) -> Source | None:
    try:
        check_files(folder)
    except VettingError as error:
        raise CheckpointError(f"{folder} is refused: {error}") from error
    config = _json(folder / "config.json")
    if "hypernet" in config:
        # A bundle says how its weights are stored, a checkpoint at which step they were.
        return Source(folder, Kind.BUNDLE if "dtype" in config else Kind.TRAINING)
    if "model_type" in config:
        return Source(folder, Kind.BASE)
    if (folder / PICKLE_FILE).is_file():
        return Source(folder / PICKLE_FILE, Kind.REFERENCE)
    if (folder / "config.json").is_file() and (folder / "model.safetensors").is_file():
        return Source(folder, Kind.TRAINING)  # its reader says what is wrong with it
    return None


def _begins_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _download(name: str, repository: str, revision: str | None, folder: str, say: Callable[[str], None]) -> Path:
    """The snapshot's folder in the hub's cache, after showing the size and checking the disk."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE, is_offline_mode
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    wanted = [f"{folder}/{pattern}" if folder else pattern for pattern in WANTED]
    wanted.append((PurePosixPath(folder).parent / "args.yaml").as_posix())  # of the run that wrote it
    arguments: dict[str, Any] = {"repo_id": repository, "revision": revision, "ignore_patterns": list(UNWANTED)}
    try:
        if not is_offline_mode():
            files = snapshot_download(**arguments, allow_patterns=wanted, dry_run=True)
            wanted = _chosen(name, files, folder)
            size = sum(file.file_size or 0 for file in files if file.will_download and file.filename in wanted)
            _check_disk(name, size, Path(HF_HUB_CACHE))
            say(f"downloading {size / 1e9:.2f} GB from {repository}" if size else f"{repository} is here already")
        return Path(snapshot_download(**arguments, allow_patterns=wanted, local_files_only=is_offline_mode()))
    except GatedRepoError as error:
        raise CheckpointError(f"{repository} is gated: accept its terms on the hub, then run `{_LOGIN}`") from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{name} is neither a path here nor a repository on the hub (a private one needs `{_LOGIN}`)"
        ) from error
    except RevisionNotFoundError as error:
        raise CheckpointError(f"{repository} has no revision {revision}") from error
    except (HFValidationError, OSError) as error:
        if isinstance(error, OSError) and error.errno == ENOSPC:
            raise
        offline = "is not in the hub's cache" if is_offline_mode() else "cannot be downloaded"
        raise CheckpointError(f"{name} does not exist here and {offline}: {one_line(error)}") from error


def _chosen(name: str, files: Iterable[Any], folder: str) -> list[str]:
    """Names of the files to download: the weights of one folder, once, and what goes with them."""
    paths = [PurePosixPath(file.filename) for file in files]
    weights = [path for path in paths if path.suffix == ".safetensors" or path.name == PICKLE_FILE]
    folders = sorted({path.parent for path in weights}, key=_natural)
    if not folders:
        raise CheckpointError(f"{name} holds no weights that can be converted")
    top = PurePosixPath(folder)
    if top not in folders and len(folders) > 1:
        raise CheckpointError(_choose(name, [place.relative_to(top).as_posix() for place in folders]))
    place = top if top in folders else folders[0]
    safe = any(path.suffix == ".safetensors" and path.parent == place for path in weights)
    kept = [path for path in weights if path.parent == place and not (safe and path.name == PICKLE_FILE)]
    return [path.as_posix() for path in paths if path in kept or path not in weights]


def _choose(name: str, folders: list[str]) -> str:
    place, at, revision = name.rstrip("/").partition("@")
    example = f"{place}/{folders[-1]}{at}{revision}"
    return f"{name} holds {len(folders)} checkpoints ({', '.join(folders)}): choose one, as {example}"


def _natural(name: Any) -> list[Any]:
    """Sorting key by which step-9 comes before step-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(name))]


def _check_disk(name: str, size: int, cache: Path) -> None:
    place = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if size > free:
        raise ResourceError(
            f"{name} needs {size / 1e9:.2f} GB, {place} has {free / 1e9:.2f} GB free: make room, "
            f"or point {'HF_HUB_CACHE' if 'HF_HUB_CACHE' in os.environ else 'HF_HOME'} at a larger disk"
        )
