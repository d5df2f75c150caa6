"""The log of a run: `log.jsonl`, TensorBoard, standard output, and Weights & Biases where it is asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from mlx_hypernet.format import installing
from mlx_hypernet.format.atomic import replacing
from torch_train.errors import TrainingError

LOG = "log.jsonl"


class Journal:
    """Writes numbers as they come.

    Args:
        folder: Of the run.
        step: Step that the run resumes from; later entries are removed, since their steps are repeated.
        wandb: Project on Weights & Biases, None for none.
        settings: What W&B shows as the configuration.
    """

    def __init__(self, folder: Path, step: int, wandb: str | None, settings: dict[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._path = folder / LOG
        kept = [entry for entry in read_log(folder) if entry["step"] <= step]
        with replacing(self._path) as partial:
            partial.write_text("".join(json.dumps(entry) + "\n" for entry in kept))
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
        self._wandb = None if wandb is None else _wandb_run(wandb, folder.name, settings)

    def record(self, step: int, **values: float) -> None:
        """Write the numbers of one step, or their means over the last ones."""
        with self._path.open("a") as log:
            log.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        if self._wandb is not None:
            self._wandb.log(values, step=step)
        print(" ".join([f"step {step}", *(f"{name} {value:.4g}" for name, value in values.items())]), flush=True)

    def close(self) -> None:
        """Flush everything."""
        self._board.close()
        if self._wandb is not None:
            self._wandb.finish()


@dataclass
class Recent:
    """Numbers since the last line of the log."""

    values: list[dict[str, float]] = field(default_factory=list)
    tokens: int = 0
    started: float = field(default_factory=time.perf_counter)

    def add(self, values: dict[str, float], tokens: int) -> None:
        """Take in one step."""
        self.values.append(values)
        self.tokens += tokens

    def means(self) -> dict[str, float]:
        """Means of all steps since the last call, and their speed."""
        seconds = time.perf_counter() - self.started
        means = {name: sum(step[name] for step in self.values) / len(self.values) for name in self.values[0]}
        means |= {"seconds per step": seconds / len(self.values), "tokens per second": self.tokens / seconds}
        if torch.cuda.is_available():
            means["peak memory (GB)"] = torch.cuda.max_memory_allocated() / 1e9
        self.values, self.tokens, self.started = [], 0, time.perf_counter()
        return means

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time inside is not the steps'."""
        paused = time.perf_counter()
        yield
        self.started += time.perf_counter() - paused


def read_log(folder: Path) -> list[dict[str, float]]:
    """The entries of a run's log; a line that a kill or a crash of the machine left damaged is left out."""
    path = folder / LOG
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [entry for line in lines if (entry := _entry(line)) is not None]


def _entry(line: bytes) -> dict[str, float] | None:
    """The entry of a whole line, None for any other."""
    try:
        entry = json.loads(line) if line.endswith(b"}\n") else None
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and type(entry.get("step")) is int else None


def _wandb_run(project: str, name: str, settings: dict[str, Any]) -> Any:
    try:
        import wandb
    except ImportError as error:
        remedy = installing.command("wandb")
        raise TrainingError(f"run.wandb needs Weights & Biases: remove the setting, or {remedy}") from error
    return wandb.init(project=project, name=name, config=settings, resume="allow")
