"""Errors for running out of memory, which name the settings that use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from torch_train.errors import TrainingError
from torch_train.training.checkpoint import checkpoints
from torch_train.training.settings import TrainingSettings


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
        None if run.recompute else "set run.recompute: true",
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
