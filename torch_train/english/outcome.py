"""What a training by the clock brings back: weights in 16 bits, logs, scores, and a page that says it all."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from mlx_hypernet.format.atomic import write_json, write_text
from torch_train.english.timed import last_checkpoint
from torch_train.errors import DataError
from torch_train.first_hour.environment import told
from torch_train.parcel.halves import write_halves
from torch_train.parcel.parcel import pack
from torch_train.training.journal import LOG, read_log

ROOM = 15_500_000  # bytes of a part
_COLUMNS = ("lesson", "step", "contexts", "seconds per step", "loss", "dev loss", "dev loss, another's adapter")


def write(folder: Path, result: Path, machine: dict[str, Any], phases: dict[str, float]) -> None:
    """Write `result/parcel` (weights, logs, scores), `result/page.md` and `result/numbers.json`.

    Args:
        folder: Of the run.
        result: What is brought back: at most eight files, none larger than `ROOM` by much.
        machine: What `first_hour.environment` found.
        phases: Seconds by phase.

    Raises:
        DataError: Nothing was trained yet.
    """
    last = last_checkpoint(folder)
    if last is None:
        raise DataError(f"{folder} holds no checkpoint: nothing was trained long enough to be saved")
    runs = sorted(folder.glob("*/run-*"), key=lambda run: run.stat().st_mtime)
    files = {f"logs/{run.parent.name}-{run.name}.jsonl": run / LOG for run in runs if (run / LOG).exists()}
    files |= {
        name: folder / name for name in ("scores.json", "plan.json", "lesson-data.log") if (folder / name).exists()
    }
    with tempfile.TemporaryDirectory() as temporary:
        halves = Path(temporary)
        write_halves(last, halves)
        files |= {f"checkpoint/{path.name}": path for path in halves.iterdir()}
        pack(files, result / "parcel", ROOM)
    scores = folder / "scores.json"
    numbers = {
        "machine": machine,
        "seconds": phases,
        "lessons": [_lesson(run) for run in runs],
        "scores": json.loads(scores.read_text("utf-8")) if scores.exists() else None,
    }
    write_json(result / "numbers.json", numbers)
    write_text(result / "page.md", page(numbers, last))


def page(numbers: dict[str, Any], last: Path) -> str:
    """The run in tables: what each lesson took and learnt, and the scores of the last checkpoint."""
    lines = ["# A training by the clock", "", *told(numbers["machine"]), ""]
    lines += [", ".join(f"{name} {seconds} s" for name, seconds in numbers["seconds"].items()), ""]
    lines += ["| " + " | ".join(_COLUMNS) + " |", "|---" * len(_COLUMNS) + "|"]
    lines += ["| " + " | ".join(_told(lesson.get(name)) for name in _COLUMNS) + " |" for lesson in numbers["lessons"]]
    lines += ["", f"Last checkpoint: {last.parent.parent.name}/{last.parent.name}/{last.name}", ""]
    return "\n".join(lines + (_scores(numbers["scores"]) if numbers["scores"] else []))


def _lesson(run: Path) -> dict[str, Any]:
    """What the log says of one lesson, at its end."""
    log = read_log(run)
    steps = next((entry for entry in reversed(log) if "loss" in entry), {})
    dev = next((entry for entry in reversed(log) if "dev loss" in entry), {})
    return {"lesson": f"{run.parent.name}, {run.name}", **{k: v for k, v in {**steps, **dev}.items() if k in _COLUMNS}}


def _scores(scores: dict[str, Any]) -> list[str]:
    lines = [f"Scores of {scores['checkpoint']} ({scores['dtype']} on {scores['device']}), unseen notes:", ""]
    lines += ["| notes | questions | exact | first token | exact, another's adapter |", "|---|---|---|---|---|"]
    for name, one in scores["sets"].items():
        shares = (one["exact"], one["first token"], one["exact, another's adapter"])
        lines.append(f"| {name} | {one['questions']} | " + " | ".join(f"{share:.1%}" for share in shares) + " |")
    return [*lines, ""]


def _told(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.4g}"
