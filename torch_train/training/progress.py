"""How far a run is: by its steps, or by the clock where `run.minutes` is set."""

from __future__ import annotations

import time


class Progress:
    """The share of a run that is done, from 0 to 1; the learning rate's schedule follows it.

    Args:
        steps: Updates of the whole run.
        minutes: Time for what is left of the run; None for a run by steps.
        before: Share that earlier sessions did; counts with `minutes` alone.
    """

    def __init__(self, steps: int, minutes: float | None, before: float = 0.0) -> None:
        self._steps, self._minutes, self._before = steps, minutes, before
        self._started = time.monotonic()

    def share(self, step: int) -> float:
        """The share done after `step` updates."""
        if self._minutes is None:
            return min(1.0, step / self._steps)
        elapsed = (time.monotonic() - self._started) / (60 * self._minutes)
        return min(1.0, self._before + (1 - self._before) * elapsed)

    def over(self, step: int) -> bool:
        """Whether the run is done after `step` updates."""
        return step >= self._steps or self.share(step) >= 1

    def scheduled(self, step: int) -> float | None:
        """The share that the schedule takes instead of the step; None for a run by steps."""
        return None if self._minutes is None else self.share(step)
