"""Whether `torch.compile` fuses parts of the hypernetwork in a run."""

from __future__ import annotations

import shutil
import sys

import torch

from torch_train.training.settings import TrainingSettings

LONG = 1000  # steps: compiling takes the time of some ten, and saves a twentieth of each (docs/measurements.md)


def compiles(settings: TrainingSettings, device: torch.device) -> bool:
    """As the settings say; with `auto` in long runs on CPUs, where a C++ compiler is installed.

    Args:
        settings: Of the run.
        device: What trains.
    """
    if settings.run.compile != "auto":
        return settings.run.compile == "on"
    compiler = shutil.which("clang++" if sys.platform == "darwin" else "g++")  # what inductor looks for
    return device.type == "cpu" and settings.optimizer.steps >= LONG and compiler is not None
