"""The curves of a run as one picture."""

from __future__ import annotations

import json
from pathlib import Path

_CURVES = {
    "exact": "exact, note holds the answer",
    "unknown": 'exact, "I don\'t know."',
    "teacher": "teacher, note in context",
}


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
        for key, label in _CURVES.items():
            known = [entry for entry in log if key in entry]
            if known:
                axes.plot([entry["step"] for entry in known], [entry[key] for entry in known], label=label, lw=1)
        axes.set(title=title, xlabel="step", ylim=(0, 1))
        level = axes.twinx()
        level.plot(steps, [entry["facts"] for entry in log], color="grey", ls=":", label="facts per note, up to")
        level.set(ylim=(0, 13), ylabel="facts per note, up to")
        axes.legend(loc="lower right")
    path = folder / "curves.png"
    figure.savefig(path, dpi=110)
    return path
