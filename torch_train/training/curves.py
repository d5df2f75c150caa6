"""The curves of a run as one picture."""

from __future__ import annotations

from pathlib import Path

from torch_train.training.journal import read_log

_PLOTS = {
    "loss": ("distillation", "dev loss"),
    "generated adapters, mean |A| + mean |B|": ("magnitude",),
    "gradient norm": ("gradient norm",),
    "learning rate": ("learning rate",),
}


def draw(folder: Path) -> Path:
    """Plot the log in `folder` into `folder/curves.png` and return its path."""
    from matplotlib.figure import Figure

    log = read_log(folder)
    figure = Figure(figsize=(16, 3.6), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(1, len(_PLOTS)), _PLOTS.items(), strict=True):
        for name in names:
            points = [(entry["step"], entry[name]) for entry in log if name in entry]
            if points:
                axes.plot(*zip(*points, strict=True), label=name, lw=1)
        axes.set(title=title, xlabel="step")
        if len(names) > 1:
            axes.legend()
    path = folder / "curves.png"
    figure.savefig(path, dpi=110)
    return path
