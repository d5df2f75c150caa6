"""What both of nano's trainings share: the optimiser, its schedule, checkpoints that survive a kill, and the log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from mlx_hypernet.format.atomic import replacing
from torch_train.nano.curriculum import Curriculum
from torch_train.nano.pool import POOL
from torch_train.training.journal import Journal
from torch_train.training.muon import Muon

WARM_UP = 100
SAVE_EVERY = 25 * POOL
LOG_EVERY = 20
WRITTEN = 0.03  # of the learning rate, for what was written by hand


@dataclass(frozen=True)
class LoopSettings:
    """Settings of a stage: steps, notes per step, peak learning rate and the last share of steps it falls over."""

    steps: int
    batch: int
    learning_rate: float
    decay: float = 0.35
    seed: int = 0
    device: str = "cpu"

    @property
    def falls_from(self) -> int:
        """Step from which the learning rate falls."""
        return round(self.steps * (1 - self.decay))


def optimizer(model: nn.Module, is_matrix: Callable[[str, nn.Parameter], bool]) -> Muon:
    """Muon for the matrices between hidden states (arXiv 2502.16982), AdamW for everything else.

    Args:
        model: What is trained.
        is_matrix: Tells by name and value which parameters Muon takes.
    """
    named = dict(model.named_parameters())
    written = {name: named.pop(name) for name in [*named] if ".written." in name}
    matrices = [parameter for name, parameter in named.items() if is_matrix(name, parameter)]
    rest = [parameter for name, parameter in named.items() if not is_matrix(name, parameter)]
    groups: list[dict[str, object]] = [{"params": rest, "weight_decay": 0.0}]
    if written:
        groups.append({"params": [*written.values()], "weight_decay": 0.0, "share": WRITTEN})
    return Muon(matrices, groups, betas=(0.9, 0.99))


def schedule(optimizer: torch.optim.Optimizer, settings: LoopSettings, step: int) -> None:
    """Warm up linearly, stay, fall linearly to zero."""
    left = (settings.steps - step) / (settings.decay * settings.steps)
    for group in optimizer.param_groups:
        group["lr"] = group.get("share", 1.0) * settings.learning_rate * min(1.0, (step + 1) / WARM_UP, left)


class Run:
    """A training run on disk: `state.pt` (weights, optimiser, curriculum, step) and the journal.

    Args:
        folder: Where the state is kept; a run continues from what it finds there.
        model: What is trained.
        optimizer: Its optimiser.
        curriculum: Its curriculum.
    """

    def __init__(
        self,
        folder: Path,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        curriculum: Curriculum,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.optimizer = optimizer
        self._folder, self._model, self._curriculum = folder, model, curriculum
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._started = time.perf_counter()
        self._seconds = 0.0  # of earlier sessions of this run
        self._step = 0
        self._recent: dict[str, list[float]] = {}
        state_file = folder / "state.pt"
        if state_file.exists():
            state = torch.load(state_file, weights_only=True)
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            curriculum.restore(state["curriculum"])
            self._step, self._seconds = state["step"], state["seconds"]
        self._journal = Journal(folder, self._step, None, {})

    def steps(self, count: int) -> Iterator[int]:
        """Step numbers from the run's position up to `count`; saves now and then and at the end."""
        while self._step < count:
            yield self._step
            self._step += 1
            if self._step % SAVE_EVERY == 0 or self._step == count:
                self._save()
        self._journal.close()

    def descend(self, loss: torch.Tensor) -> None:
        """One step of the optimiser, gradients clipped to norm 1."""
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"loss is {loss.item()} at step {self._step}")
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def record(self, step: int, progress: float, **values: float) -> None:
        """Feed the curriculum with `progress` and write the mean of the last steps to the log now and then.

        A value that a step has not got, such as refusals where every answer is known, is NaN and left out.
        """
        self._curriculum.observe(step, progress)
        for key, value in values.items():
            if not math.isnan(value):
                self._recent.setdefault(key, []).append(value)
        if (step + 1) % LOG_EVERY:
            return
        means = {key: sum(recent) / len(recent) for key, recent in self._recent.items()}
        self._recent.clear()
        stage = {"facts": self._curriculum.level, "running": self._curriculum.running}
        self._journal.record(step + 1, **stage, **means, seconds=self._elapsed())

    def _elapsed(self) -> float:
        return self._seconds + time.perf_counter() - self._started

    def _save(self) -> None:
        state = {
            "model": self._model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curriculum": self._curriculum.state(),
            "step": self._step,
            "seconds": self._elapsed(),
        }
        with replacing(self._folder / "state.pt") as partial:
            torch.save(state, partial)
