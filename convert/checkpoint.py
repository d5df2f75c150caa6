"""Reading a training checkpoint, without torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx

from convert.errors import CheckpointError
from mlx_hypernet.bundle import CONFIG_FILE, WEIGHTS_FILE, BundleError, check_weights
from mlx_hypernet.config import BundleConfig, ConfigError
from mlx_hypernet.hypernet import HyperNetwork
from mlx_hypernet.storage import DamagedFileError, read_tensors

_KEYS = {"hypernet", "base", "max_chunk_tokens", "prefix_ids", "suffix_ids", "step", "base_path"}


@dataclass(frozen=True)
class Checkpoint:
    """A training checkpoint; its parameter names are those of `mlx_hypernet` already.

    Attributes:
        config: the configuration of the bundle it becomes.
        weights: parameter name -> array.
        base_path: where the base was while training, if it is still there.
    """

    config: BundleConfig
    weights: dict[str, mx.array]
    base_path: Path | None


def read_checkpoint(folder: Path, dtype: str, tool_version: str) -> Checkpoint:
    """Read a folder that `torch_train` wrote.

    Args:
        folder: holds `config.json` and `model.safetensors`.
        dtype: of the bundle to be.
        tool_version: is recorded in the bundle.

    Raises:
        CheckpointError: when something is missing, damaged, unknown, or of the wrong shape.
    """
    missing = [name for name in (CONFIG_FILE, WEIGHTS_FILE) if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"{folder} is not a training checkpoint: {' and '.join(missing)} missing")
    data = _read_config(folder / CONFIG_FILE)
    base_path, step = data.pop("base_path", None), data.pop("step")
    source = {"repository": folder.resolve().name, "revision": _hash(folder / WEIGHTS_FILE), "step": step}
    try:
        config = BundleConfig.from_dict(data | {"dtype": dtype, "source": source, "tool_version": tool_version})
        weights, _ = read_tensors(folder / WEIGHTS_FILE)
        check_weights(HyperNetwork(config.hypernet), weights, folder)
    except ConfigError as error:
        raise CheckpointError(f"{folder / CONFIG_FILE} is not usable: {error}") from error
    except (BundleError, DamagedFileError) as error:
        raise CheckpointError(str(error)) from error
    return Checkpoint(config, weights, _existing(folder, base_path))


def _read_config(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} is not a JSON object")
    missing, unknown = sorted(_KEYS - {"base_path"} - data.keys()), sorted(data.keys() - _KEYS)
    if missing or unknown:
        raise CheckpointError(f"{path} is not a training checkpoint's: missing keys {missing}, unknown keys {unknown}")
    return data


def _existing(folder: Path, base_path: str | None) -> Path | None:
    """Relative paths count from the checkpoint first, then from where the command runs."""
    candidates = [] if base_path is None else [folder / base_path, Path(base_path)]
    return next((path for path in candidates if path.is_dir()), None)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
