"""Checkpoints of a run: `step-00000100/`, whole or absent, of which the last few are kept.

`config.json` and `model.safetensors` are what `convert-weights` reads; `trainer.json` and `trainer.safetensors` are
what a run resumes from. No pickle anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mlx_hypernet.format.atomic import appearing, remove_folder, write_json
from mlx_hypernet.format.config import ConfigError, HypernetConfig
from torch_train.errors import TrainingError, one_line
from torch_train.model.hypernet import HyperNetwork

CONFIG, MODEL = "config.json", "model.safetensors"
TRAINER, TRAINER_TENSORS = "trainer.json", "trainer.safetensors"
_NAME = re.compile(r"step-\d{8}")
_OF_BASE = ("repository", "model_type", "hidden_size", "num_layers", "vocab_size")


@dataclass(frozen=True)
class BaseRecord:
    """What a checkpoint remembers of the base and its template.

    Attributes:
        path: Where the base was, which `convert-weights` tries first; empty where nothing says it.
        repository: Its name on the hub, None for a local folder.
        model_type, hidden_size, num_layers, vocab_size: Of its text model.
        max_chunk_tokens, prefix_ids, suffix_ids: How documents are cut, and the template's ids around each chunk.
    """

    path: str
    repository: str | None
    model_type: str
    hidden_size: int
    num_layers: int
    vocab_size: int
    max_chunk_tokens: int
    prefix_ids: tuple[int, ...]
    suffix_ids: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """The keys of `config.json` that belong to the base."""
        return {
            "base": {key: getattr(self, key) for key in _OF_BASE},
            "base_path": self.path,
            "max_chunk_tokens": self.max_chunk_tokens,
            "prefix_ids": list(self.prefix_ids),
            "suffix_ids": list(self.suffix_ids),
        }


@dataclass(frozen=True)
class TrainerState:
    """What a run needs besides the weights.

    Attributes:
        step: Updates done.
        stream: Position in the order of batches.
        settings: Of the run, to refuse others.
        optimizer: `parameter:key` -> tensor of the optimiser's state.
        progress: Share of the run that is done; a run by the clock resumes from it.
    """

    step: int
    stream: dict[str, int]
    settings: dict[str, Any]
    optimizer: Mapping[str, Tensor]
    progress: float = 0.0


def checkpoints(folder: Path) -> list[Path]:
    """All whole checkpoints of a run, oldest first."""
    return sorted(path for path in folder.glob("step-*") if _NAME.fullmatch(path.name) and path.is_dir())


def place_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step is kept."""
    return folder / f"step-{step:08d}"


def save(
    folder: Path,
    hypernet: HypernetConfig,
    weights: Mapping[str, Tensor],
    base: BaseRecord,
    state: TrainerState,
    keep: int,
) -> Path:
    """Write a checkpoint beside its place, flush it to disk, move it there, and remove the oldest beyond `keep`.

    Raises:
        TrainingError: The disk is full, or cannot be written; earlier checkpoints stay as they are.
    """
    place = place_of(folder, state.step)
    if place.is_dir():  # a run that was stopped right after it saved
        return place
    try:
        with appearing(place) as partial:
            write_model(partial, hypernet, weights, base, state.step)
            save_file(_plain(state.optimizer), partial / TRAINER_TENSORS)
            parts = {"step": state.step, "stream": state.stream, "settings": state.settings}
            write_json(partial / TRAINER, {**parts, "progress": state.progress})
    except (OSError, SafetensorError) as error:
        kept = checkpoints(folder)
        left = f"{kept[-1].name} is complete, and the run can resume from it" if kept else "there is no earlier one"
        raise TrainingError(f"checkpoint {place.name} could not be written ({error}): make room; {left}") from error
    for old in checkpoints(folder)[:-keep]:
        remove_folder(old)
    return place


def write_model(
    folder: Path, hypernet: HypernetConfig, weights: Mapping[str, Tensor], base: BaseRecord, step: int
) -> None:
    """Write what `convert-weights` reads, into a folder that is there."""
    save_file(_plain(weights), folder / MODEL)
    write_json(folder / CONFIG, {"hypernet": hypernet.to_dict(), **base.to_dict(), "step": step})


def load_weights(folder: Path, hypernet: HypernetConfig | None = None) -> tuple[HypernetConfig, dict[str, Tensor]]:
    """The hypernetwork of a checkpoint.

    Args:
        folder: Of the checkpoint.
        hypernet: The shape it must have, if that is known.

    Raises:
        TrainingError: It is missing, damaged or of another shape.
    """
    data = _read_json(folder / CONFIG)
    try:
        found = HypernetConfig.from_dict(data["hypernet"])
        weights = load_file(folder / MODEL)
    except (KeyError, TypeError, ConfigError, OSError, SafetensorError) as error:
        raise TrainingError(f"{folder} is not a complete training checkpoint: {error}") from error
    if hypernet is not None:
        _refuse_other_shape(found, hypernet, folder)
    return found, weights


def load_start(hypernet: HyperNetwork, folder: Path) -> None:
    """Give a hypernetwork the weights that its training starts from.

    Where it has `token_pairs` and the checkpoint has none, these begin as they are.

    Raises:
        TrainingError: The checkpoint is missing, damaged or of another shape.
    """
    config = hypernet.config
    found, weights = load_weights(folder)
    if config.token_pairs and not found.token_pairs:
        found = replace(found, token_pairs=True)
        new = {name: value for name, value in hypernet.state_dict().items() if name.startswith("token_pairs.")}
        weights = new | weights
    _refuse_other_shape(found, config, folder)
    load_into(hypernet, weights, folder)


def load_hypernet(folder: Path) -> HyperNetwork:
    """The hypernetwork of a checkpoint, or of a bundle that nothing is quantised in: both name tensors alike.

    Raises:
        TrainingError: It is missing, damaged or quantised.
    """
    config, weights = load_weights(folder)
    hypernet = HyperNetwork(config)
    load_into(hypernet, weights, folder)
    return hypernet


def load_into(hypernet: HyperNetwork, weights: Mapping[str, Tensor], folder: Path) -> None:
    """Give a hypernetwork the weights of the checkpoint at `folder`.

    Raises:
        TrainingError: They are of another shape than its configuration says.
    """
    try:
        hypernet.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainingError(
            f"{folder} has weights that are not those of its configuration: {one_line(error)}"
        ) from error


def load_base_record(folder: Path) -> BaseRecord:
    """What a checkpoint remembers of its base; one that was a bundle does not say where the base was.

    Raises:
        TrainingError: It says too little.
    """
    data = _read_json(folder / CONFIG)
    try:
        base = data["base"]
        return BaseRecord(
            path=data.get("base_path") or base["repository"] or "",
            **{key: base[key] for key in _OF_BASE},
            max_chunk_tokens=data["max_chunk_tokens"],
            prefix_ids=tuple(data["prefix_ids"]),
            suffix_ids=tuple(data["suffix_ids"]),
        )
    except (KeyError, TypeError) as error:
        raise TrainingError(f"{folder / CONFIG} is not a training checkpoint's: {error}") from error


def load_trainer(folder: Path) -> TrainerState:
    """What a run resumes from.

    Raises:
        TrainingError: It is missing or damaged.
    """
    data = _read_json(folder / TRAINER)
    try:
        tensors = load_file(folder / TRAINER_TENSORS)
        done = float(data.get("progress", 0.0))  # earlier versions did not write it
        step, stream, settings = int(data["step"]), _object(data, "stream"), _object(data, "settings")
        if not all(isinstance(values, dict) for values in settings.values()):
            raise ValueError("its settings are no sections")
        return TrainerState(step, stream, settings, tensors, done)
    except (ArithmeticError, KeyError, OSError, SafetensorError, TypeError, ValueError) as error:
        raise TrainingError(
            f"{folder} cannot be resumed from: {error}; remove it to resume from the one before"
        ) from error


def progress_of(folder: Path) -> float:
    """The share of its run that a checkpoint stands at; 0 for one without a trainer's state."""
    return float(_read_json(folder / TRAINER).get("progress", 0.0)) if (folder / TRAINER).exists() else 0.0


def refuse_other_settings(earlier: dict[str, Any], now: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Refuse settings other than those that a run was started with.

    Args:
        earlier: What the run's state says.
        now: What the run was resumed with.
        defaults: What settings were that did not exist when the run was started.

    Raises:
        TrainingError: Names those that differ.
    """
    flat_now, missing = _flat(now), _flat(defaults)
    flat_earlier = {key: missing[key] for key in flat_now if key in missing} | _flat(earlier)
    keys = sorted(flat_earlier.keys() | flat_now.keys())
    differing = [f"{key} {flat_earlier.get(key)} (now {flat_now.get(key)})" for key in keys
                 if flat_earlier.get(key) != flat_now.get(key)]  # fmt: skip
    if differing:
        raise TrainingError(
            f"this run was started with other settings: {', '.join(differing)}; "
            "set them back, or choose another run.folder"
        )


def _refuse_other_shape(found: HypernetConfig, wanted: HypernetConfig, folder: Path) -> None:
    if found != wanted:
        ours, theirs = asdict(wanted), asdict(found)
        differing = ", ".join(f"{key} {theirs[key]} (here {ours[key]})" for key in ours if ours[key] != theirs[key])
        raise TrainingError(f"{folder} has a hypernetwork of another shape: {differing}")


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """`section.key` -> value; tuples as the lists that JSON makes of them."""
    return {
        f"{section}.{key}": list(value) if isinstance(value, tuple) else value
        for section, values in settings.items()
        for key, value in values.items()
    }


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As safetensors takes them."""
    return {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}


def _object(data: dict[str, Any], key: str) -> dict[str, Any]:
    if not isinstance(data[key], dict):
        raise ValueError(f"its {key} is no object")
    return data[key]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingError(f"{path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise TrainingError(f"{path} is not a JSON object")
    return data
