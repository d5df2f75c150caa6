"""A plan on disk, beside the run that follows it: a resumed run need not plan its epoch again."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mlx_hypernet.format.atomic import replacing
from torch_train.training.plan import PackingPlan, Units

LEAST = 20_000  # units; smaller plans are made faster than they are found
_COLUMNS = ("rows", "tokens", "inputs", "first")


class PlanCache:
    """Plans in one folder, of which the last is kept.

    Args:
        folder: Where they are, or will be.
        made_from: Everything that they depend on, besides the epoch.
    """

    def __init__(self, folder: Path, made_from: dict[str, Any]) -> None:
        self._folder = folder
        self._name = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]

    def read(self, epoch: int) -> PackingPlan | None:
        """The plan of an epoch, if it is there and whole."""
        try:
            with np.load(self._path(epoch), allow_pickle=False) as kept:
                arrays = dict(kept)
            units = Units(*(arrays[name] for name in _COLUMNS))
            budget, dropped = (tuple(arrays[name].tolist()) for name in ("budget", "dropped"))
            return PackingPlan(units, arrays["members"], arrays["starts"], budget, dropped)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # planned again, and replaced
            return None

    def write(self, epoch: int, plan: PackingPlan) -> None:
        """Keep a plan, and remove those before it."""
        if len(plan.units) < LEAST:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {name: getattr(plan.units, name) for name in _COLUMNS}
        arrays |= {"members": plan.members, "starts": plan.first, "budget": plan.budget, "dropped": plan.dropped}
        with replacing(self._path(epoch)) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
        for old in self._folder.glob("plan-*.npz"):
            if old != self._path(epoch):
                old.unlink(missing_ok=True)

    def _path(self, epoch: int) -> Path:
        return self._folder / f"plan-{self._name}-{epoch}.npz"
