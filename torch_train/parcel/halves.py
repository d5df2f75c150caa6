"""Weights of a checkpoint in 16 bits, for the way back: half the bytes, and as good a start as the whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from torch_train.training.checkpoint import CONFIG, MODEL

_LARGEST = torch.finfo(torch.float16).max


def write_halves(checkpoint: Path, folder: Path) -> None:
    """Write the weights of a checkpoint in fp16, those that it cannot hold in fp32, and the configuration beside them.

    The folder is a checkpoint too: `hypernet.start` and `convert-weights` take it. It has no state of the optimiser.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: _half(name, tensor) for name, tensor in load_file(checkpoint / MODEL).items()}, folder / MODEL)
    shutil.copyfile(checkpoint / CONFIG, folder / CONFIG)


def _half(name: str, tensor: torch.Tensor) -> torch.Tensor:
    # What features are standardised by is small, and a deviation of 1e-4 has few digits in fp16.
    fits = not name.startswith("feature_") and float(tensor.abs().max()) < _LARGEST
    return tensor.half() if fits else tensor
