"""What every checkpoint becomes, and reading our own trainer's (`config.json` + `model.safetensors`), without torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import mlx.core as mx

from convert.errors import CheckpointError
from convert.reference_keys import expected_shapes
from convert.source import Source
from mlx_hypernet.bundle import CONFIG_FILE, WEIGHTS_FILE
from mlx_hypernet.format.config import BundleConfig, ConfigError
from mlx_hypernet.storage import DamagedFileError, open_tensors, read_header

if TYPE_CHECKING:
    from torch import Tensor

KEYS = {"hypernet", "base", "max_chunk_tokens", "prefix_ids", "suffix_ids", "step", "base_path"}


class Weights(Protocol):
    """A checkpoint's parameters under our names; they stay on disk until they are asked for."""

    def arrays(self) -> Iterator[tuple[str, mx.array]]:
        """One after the other for MLX."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """All of them for torch in fp32, mapped from the file where that is how they are stored."""
        ...


@dataclass(frozen=True)
class Checkpoint:
    """A training checkpoint.

    Attributes:
        config: the configuration of the bundle it becomes.
        weights: its parameters.
        file: where they are.
        sha256: of that file.
        base_path: where the base was while training, if it is still there.
    """

    config: BundleConfig
    weights: Weights
    file: Path
    sha256: str
    base_path: Path | None


@dataclass(frozen=True)
class SafetensorsWeights:
    """The parameters in a safetensors file that has our names already."""

    file: Path

    def arrays(self) -> Iterator[tuple[str, mx.array]]:
        """See `Weights`."""
        tensors, _ = open_tensors(self.file)
        for name in list(tensors):
            yield name, tensors.pop(name)

    def state_dict(self) -> dict[str, Tensor]:
        """See `Weights`."""
        from safetensors.torch import load_file

        return {name: tensor.float() for name, tensor in load_file(self.file).items()}


def read_checkpoint(source: Source, dtype: str, tool_version: str) -> Checkpoint:
    """Read a folder that `torch_train` wrote.

    Args:
        source: its path is the folder.
        dtype: of the bundle to be.
        tool_version: is recorded in the bundle.

    Raises:
        CheckpointError: when something is missing, damaged, unknown, or of the wrong shape.
    """
    folder = source.path
    missing = [name for name in (CONFIG_FILE, WEIGHTS_FILE) if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"{folder} is not a training checkpoint: {' and '.join(missing)} missing")
    data = _read_config(folder / CONFIG_FILE)
    base_path, step = data.pop("base_path", None), data.pop("step")
    weights = folder / WEIGHTS_FILE
    sha256 = file_hash(weights)
    origin = {
        "repository": source.repository or folder.resolve().name,
        "revision": source.revision or sha256[:16],
        "step": step,
    }
    try:
        config = BundleConfig.from_dict(data | {"dtype": dtype, "source": origin, "tool_version": tool_version})
        _check_shapes(config, weights)
    except ConfigError as error:
        raise CheckpointError(f"{folder / CONFIG_FILE} is not usable: {error}") from error
    except DamagedFileError as error:
        raise CheckpointError(str(error)) from error
    return Checkpoint(config, SafetensorsWeights(weights), weights, sha256, existing(folder, base_path))


def existing(folder: Path, base_path: str | None) -> Path | None:
    """The base's folder: relative paths count from the checkpoint first, then from where the command runs."""
    candidates = [folder / base_path, Path(base_path)] if base_path else []
    return next((path for path in candidates if (path / CONFIG_FILE).is_file()), None)


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_shapes(config: BundleConfig, path: Path) -> None:
    found = {name: info.shape for name, info in read_header(path).items()}
    expected = expected_shapes(config.hypernet, len(found))
    faults = [f"missing {name}" for name in sorted(expected.keys() - found.keys())]
    faults += [f"unknown {name}" for name in sorted(found.keys() - expected.keys())]
    faults += [
        f"{name} has shape {found[name]}, expected {expected[name]}"
        for name in sorted(expected.keys() & found.keys())
        if found[name] != expected[name]
    ]
    if faults:
        raise CheckpointError(f"the weights in {path} do not match their configuration: {'; '.join(faults)}")


def _read_config(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} is not a JSON object")
    if not isinstance(data.get("base_path"), str | None):
        raise CheckpointError(f"base_path in {path} is {data['base_path']!r}, not a path")
    missing, unknown = sorted(KEYS - {"base_path"} - data.keys()), sorted(data.keys() - KEYS)
    if missing or unknown:
        raise CheckpointError(f"{path} is not a training checkpoint's: missing keys {missing}, unknown keys {unknown}")
    return data
