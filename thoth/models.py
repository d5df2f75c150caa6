"""The model pairs Thoth knows, and where a pair's two folders are.

A pair is a base model and a bundle (its hypernetwork). On disk it is one folder with `base/` and `hypernet/`;
nano comes with the package, the others live in `<home>/models/<name>/`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from thoth import nano, paths
from thoth.errors import ModelError


@dataclass(frozen=True)
class KnownPair:
    """What is public about a pair.

    Attributes:
        base: the base model's repository, None where it comes with Thoth.
        hypernet: the repository with the hypernetwork's checkpoint, None where it comes with Thoth.
        hypernet_parameters: its size, where it was counted.
        licence: the base model's licence.
    """

    base: str | None
    hypernet: str | None
    hypernet_parameters: int | None
    licence: str


NANO = "nano"
KNOWN = {
    NANO: KnownPair(None, None, None, "as Thoth"),
    # The BF16 variant: mlx-lm misreads the plain repository's FP8; `convert-weights` resolves it.
    "ministral-3-3b": KnownPair(
        "mistralai/Ministral-3-3B-Instruct-2512-BF16",
        "neopolita/doc-to-lora-ministral-3b-2512",
        360_224_160,
        "Apache-2.0",
    ),
    "gemma-2-2b": KnownPair("google/gemma-2-2b-it", "SakanaAI/doc-to-lora", 309_468_064, "Gemma terms of use"),
    "mistral-7b": KnownPair("mistralai/Mistral-7B-Instruct-v0.2", "SakanaAI/doc-to-lora", 574_214_656, "Apache-2.0"),
    "qwen3-4b": KnownPair("Qwen/Qwen3-4B-Instruct-2507", "SakanaAI/doc-to-lora", None, "Apache-2.0"),
}


@dataclass(frozen=True)
class Pair:
    """A pair on this machine.

    Attributes:
        name: what the user calls it.
        base: folder of the base model, as mlx-lm loads it.
        bundle: folder of the bundle.
    """

    name: str
    base: Path
    bundle: Path


def resolve(name: str) -> Pair:
    """Find a pair by name, or by the path of a pair's folder or of a bundle that names its base.

    Raises:
        ModelError: The pair or its base is unknown or not on this machine.
    """
    if name == NANO:
        remedy = "install thoth again, or build it with `make nano` in the source tree"
        return _in_folder(name, nano.folder(), f"the built-in model is missing from this installation: {remedy}")
    if known := KNOWN.get(name):
        folder = paths.models() / name
        remedy = f"put {known.base} in {folder / 'base'} and its converted bundle in {folder / 'hypernet'}"
        return _in_folder(name, folder, f"{name} is not on this machine: {remedy}")
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file():
        return Pair(name, _base_of(folder), folder)
    known_names = ", ".join(KNOWN)
    return _in_folder(
        name,
        folder,
        f"there is no model {name}: use one of {known_names}, a bundle, or a folder with base/ and hypernet/",
    )


def _in_folder(name: str, folder: Path, missing: str) -> Pair:
    base, bundle = folder / "base", folder / "hypernet"
    if not base.is_dir() or not bundle.is_dir():
        raise ModelError(missing)
    return Pair(name, base, bundle)


def _base_of(bundle: Path) -> Path:
    """Return the folder of the base a bundle names: a path, or a repository in the hub's cache."""
    try:
        repository = json.loads((bundle / "config.json").read_text(encoding="utf-8"))["base"]["repository"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{bundle / 'config.json'} is not a bundle's configuration: convert the checkpoint again"
        ) from error
    if not isinstance(repository, str):
        raise ModelError(f"{bundle} does not name its base: put them together as base/ and hypernet/ in one folder")
    if (folder := bundle / Path(repository).expanduser()).is_dir():
        return folder

    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, local_files_only=True))
    # Its errors are many (not cached, not a valid repository id, a damaged cache); the remedy is one.
    except Exception as error:
        raise ModelError(
            f"{repository}, the base of {bundle}, is not on this machine: run `hf download {repository}`"
        ) from error
