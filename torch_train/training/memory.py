"""How much memory a run takes and has: what recomputation is chosen by, and errors that name the settings to change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mlx_hypernet.format.config import HypernetConfig
from torch_train.errors import TrainingError
from torch_train.model.base import DTYPES, fast_dtype
from torch_train.training.checkpoint import checkpoints
from torch_train.training.settings import TrainingSettings

_USED = 0.7  # of the free memory, by what is counted here: logits, single operations and fragments need the rest


@contextmanager
def memory_watched(settings: TrainingSettings) -> Iterator[None]:
    """Say which settings to change where the block runs out of memory.

    Raises:
        TrainingError: Memory ran out. A run that has begun can resume with some of the settings changed;
            others need a new run.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(_remedies(settings)) from error


def _remedies(settings: TrainingSettings) -> str:
    run, packing = settings.run, settings.packing
    remedies = [
        "set run.recompute: on" if run.recompute != "on" else None,
        None if run.sharding == "fsdp" else "with several GPUs, set run.sharding: fsdp",
        f"lower packing.context_tokens ({packing.context_tokens})",
        f"or packing.input_tokens ({packing.input_tokens})",
        "leave base.encoder_bits out" if settings.base.encoder_bits else None,  # a copy beside the base
    ]
    told = "out of memory: " + ", ".join(remedy for remedy in remedies if remedy)
    begun = checkpoints(Path(run.folder))
    if begun:
        told += f"; all but run.* needs another run.folder, and hypernet.start: {begun[-1]} to start from there"
    return told


def recomputes(settings: TrainingSettings, config: HypernetConfig, base: Any, parameters: int, free: int) -> bool:
    """Whether activations are dropped until backward: as the settings say, or with `auto` where they would not fit.

    Args:
        settings: Of the run.
        config: Of the hypernetwork.
        base: The base's model.
        parameters: Of the hypernetwork, that this process holds.
        free: Bytes that are free when base and hypernetwork are loaded.
    """
    if settings.run.recompute != "auto":
        return settings.run.recompute == "on"
    parts = memory_by_part(settings, config, base, {"all": parameters}, recompute=False)
    kept = sum(size for part, size in parts if not part.startswith(("base", "encoder", "hypernetwork")))
    return kept > _USED * free


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    # macOS does not say how much is free: it moves to disk what nobody uses.
    pages = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
    return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")


def memory_by_part(
    settings: TrainingSettings,
    config: HypernetConfig,
    base: Any,
    counts: dict[str, int],
    processes: int = 1,
    *,
    recompute: bool,
) -> Iterator[tuple[str, int]]:
    """Bytes that are held through a step, by what holds them.

    Args:
        settings: Of the run.
        config: Of the hypernetwork.
        base: The base's text model, without weights.
        counts: Parameters of the hypernetwork by part.
        processes: How many train together.
        recompute: Whether activations are dropped until backward.
    """
    width = _width(settings.base.dtype)
    weights = sum(parameter.numel() for parameter in base.parameters())
    yield f"base, {settings.base.dtype}", weights * width
    if settings.base.encoder_bits:
        # bitsandbytes quantises the linear maps of the blocks; the embedding is not quantised.
        blocks = sum(parameter.numel() for parameter in base.model.layers.parameters())
        yield "encoder, 4 bits and their scales", (weights - blocks) * width + round(blocks * 4.5 / 8)
    parameters, over = sum(counts.values()), ""
    if settings.run.sharding == "fsdp" and processes > 1:
        parameters, over = -(-parameters // processes), f", 1/{processes}"
        yield "parts gathered while they run, two at most, fp32", 2 * max(counts.values()) * 4
    yield f"hypernetwork, fp32{over}", parameters * 4
    yield f"its gradients, fp32{over}", parameters * 4
    yield f"optimiser, two moments at most, fp32{over}", parameters * 8
    rows = config.num_layers * config.hidden_size
    yield "features for the projection's gradient", rows * settings.packing.context_tokens * width
    if recompute:
        yield "inputs of the base's blocks", rows * settings.packing.input_tokens * width
    else:
        text = base.config
        heads = text.num_attention_heads * getattr(text, "head_dim", config.hidden_size // text.num_attention_heads)
        inside = 6 * config.hidden_size + 3 * heads + 5 * text.intermediate_size
        yield (
            "activations of the base's blocks, about",
            config.num_layers * inside * settings.packing.input_tokens * width,
        )
        wide = 3 * 4 * config.hidden_size
        yield "activations of the projection, about", config.num_layers * wide * settings.packing.context_tokens * width


def _width(dtype: str) -> int:
    """Bytes of a number of the base."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return DTYPES[fast_dtype(device) if dtype == "auto" else dtype].itemsize
