"""The curves of a run as one picture."""

from __future__ import annotations

from pathlib import Path

from torch_train.training.journal import read_log

_STAGES = {
    "base": "base, note in context",
    "joint": "both, adapter only",
}
_CURVES = {
    "exact": "exact",
    "unknown": 'exact, "I don\'t know."',
    "teacher": "exact with the note in context",
}


def draw(folder: Path) -> Path:
    """Plot the logs of the stages whose answers are counted into `folder/curves.png` and return its path."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    for axes, (stage, title) in zip(figure.subplots(1, len(_STAGES)), _STAGES.items(), strict=True):
        log = read_log(folder / stage)
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
