"""AdamW or Muon, their parameter groups and their schedule."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import torch
from torch import nn

from torch_train.training.muon import Muon
from torch_train.training.settings import OptimizerSettings

_UNDECAYED = re.compile(r"scaler_|bias|norm|latents")


def is_decayed(name: str) -> bool:
    """Whether weight decay takes the parameter of that name: not scalers, biases, norms and latents."""
    return not _UNDECAYED.search(name)


def is_matrix(name: str, parameter: nn.Parameter) -> bool:
    """Whether Muon takes a parameter of the hypernetwork: the matrices of Perceiver and pre-head, stacked or not."""
    return name.endswith("proj.weight") or ("pre_head" in name and parameter.ndim == 3)


def build_optimizer(parameters: Iterable[tuple[str, nn.Parameter]], settings: OptimizerSettings) -> torch.optim.AdamW:
    """The optimiser that the settings name, with a decayed and an undecayed group of AdamW's.

    Args:
        parameters: The model's `named_parameters()`.
        settings: Kind, decay and betas; the learning rate is set before every step, by `learning_rate`.
    """
    named = list(parameters)
    matrices = [p for name, p in named if settings.kind == "muon" and is_matrix(name, p)]
    rest = [(name, p) for name, p in named if settings.kind == "adamw" or not is_matrix(name, p)]
    groups = [
        {"params": [p for name, p in rest if is_decayed(name)], "weight_decay": settings.weight_decay},
        {"params": [p for name, p in rest if not is_decayed(name)], "weight_decay": 0.0},
    ]
    rate, betas = settings.learning_rate, settings.betas
    if settings.kind == "muon":
        return Muon(matrices, groups, lr=rate, betas=betas, weight_decay=settings.weight_decay)
    fused = all(parameter.is_cuda for _, parameter in named)
    return torch.optim.AdamW(groups, lr=rate, betas=betas, fused=fused)


def learning_rate(settings: OptimizerSettings, step: int, done: float | None = None) -> float:
    """Linear warm-up, then a cosine down to the final rate.

    Args:
        settings: Rates, warm-up and number of steps.
        step: The step, from 0.
        done: Share of the run that is done, for a run by the clock; None takes it from the step.
    """
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    share = (step - settings.warmup) / max(1, settings.steps - settings.warmup) if done is None else done
    low, high = settings.final_learning_rate, settings.learning_rate
    return low + (high - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
