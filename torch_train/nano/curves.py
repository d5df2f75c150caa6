"""The curves of a run as one picture."""

from __future__ import annotations

import json
from pathlib import Path


def draw(folder: Path) -> Path:
    """Plot the logs of both trainings into `folder/curves.png` and return its path."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    for axes, name, title in zip(
        figure.subplots(1, 2), ("base", "hypernet"), ("base, note in context", "adapter only"), strict=True
    ):
        lines = (folder / f"{name}-run" / "log.jsonl").read_text().splitlines()
        log = [json.loads(line) for line in lines]
        steps = [entry["step"] for entry in log]
        axes.plot(steps, [entry["exact"] for entry in log], label="exact, note holds the answer")
        axes.plot(steps, [entry["unknown"] for entry in log], label='exact, "I don\'t know."')
        if name == "hypernet":
            axes.plot(steps, [entry["teacher"] for entry in log], label="teacher, note in context", lw=0.8)
        axes.set(title=title, xlabel="step", ylim=(0, 1))
        level = axes.twinx()
        level.plot(steps, [entry["facts"] for entry in log], color="grey", ls=":", label="facts per note, up to")
        level.set(ylim=(0, 13), ylabel="facts per note, up to")
        axes.legend(loc="lower right")
    path = folder / "curves.png"
    figure.savefig(path, dpi=110)
    return path
