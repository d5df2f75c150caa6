"""The number of facts a note may hold grows with what the model can already do."""

from __future__ import annotations

from torch_train.nano.pool import POOL


class Curriculum:
    """Adds a fact whenever the running accuracy passes a threshold.

    Args:
        first: Facts at the start.
        last: Facts at the end.
        accuracy: Running share of exact answers that raises the level.
        until: Step from which the level stays: where the learning rate falls, notes must not grow any more.
    """

    def __init__(self, first: int, last: int, accuracy: float, until: int) -> None:
        self.level = first
        self._last = last
        self._accuracy = accuracy
        self._until = until
        self._running = 0.0

    def observe(self, step: int, exact: float) -> None:
        """Take in one step's accuracy; the level changes between pools of batches only."""
        self._running += 0.02 * (exact - self._running)
        rises = self._running > self._accuracy and self.level < self._last and step < self._until
        if (step + 1) % POOL == 0 and rises:
            self.level += 1
            self._running -= 0.04  # a few dozen steps at the new level before the next

    @property
    def running(self) -> float:
        """Running share of exact answers."""
        return self._running

    def state(self) -> dict[str, float]:
        """What a checkpoint needs."""
        return {"level": self.level, "running": self._running}

    def restore(self, state: dict[str, float]) -> None:
        """Continue from a checkpoint."""
        self.level, self._running = int(state["level"]), state["running"]
