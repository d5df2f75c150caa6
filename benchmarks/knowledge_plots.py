"""The plots of `knowledge.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def draw(results: list[dict[str, Any]], folder: Path) -> list[Path]:
    """Plot what there is into `documents.svg`, `length.svg`, `needle.svg` and `cost.svg`; returns their paths."""
    known = [one for one in results if one["exact"] is not None]
    drawn = []
    for name, plot in (("documents", _lines), ("length", _lines), ("needle", _needles), ("cost", _costs)):
        rows = [one for one in known if one["table"] == name]
        if name == "cost":
            rows = [one for one in known if one["table"] == "documents" and one["x"] == 64]
        if len(rows) > 1:
            drawn.append(plot(rows, folder / f"{name}.svg"))
    return drawn


def _lines(rows: list[dict[str, Any]], path: Path) -> Path:
    """Exact answers against number or length, a line for each way."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for way in dict.fromkeys(one["way"] for one in rows):
        points = sorted((one["x"], one["exact"]) for one in rows if one["way"] == way)
        axes.plot(*zip(*points, strict=True), marker="o", ms=4, lw=1, label=way)
    at = sorted({one["x"] for one in rows})
    axes.set_xscale("log", base=2)
    axes.set_xticks(at, [f"{x:g}" for x in at])
    axes.set(ylim=(0, 1), ylabel="exact answers", xlabel="documents" if max(at) < 1024 else "tokens of the document")
    axes.legend(fontsize="small")
    return _save(figure, path)


def _needles(rows: list[dict[str, Any]], path: Path) -> Path:
    """Exact answers by length and depth."""
    from matplotlib.figure import Figure

    lengths = sorted({one["x"] for one in rows})
    depths = sorted({one["what"].rpartition(" ")[2] for one in rows}, key=lambda depth: int(depth.rstrip("%")))
    exact = {(one["x"], one["what"].rpartition(" ")[2]): one["exact"] for one in rows}
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    grid = [[exact.get((length, depth), float("nan")) for length in lengths] for depth in depths]
    image = axes.imshow(grid, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    for y, line in enumerate(grid):
        for x, value in enumerate(line):
            if value == value:  # not asked: NaN
                axes.text(x, y, f"{value:.0%}", ha="center", va="center", color="white" if value < 0.6 else "black")
    axes.set_xticks(range(len(lengths)), [f"{length:g}" for length in lengths])
    axes.set_yticks(range(len(depths)), depths)
    axes.set(xlabel="tokens of the document", ylabel="depth")
    figure.colorbar(image, label="exact answers")
    return _save(figure, path)


def _costs(rows: list[dict[str, Any]], path: Path) -> Path:
    """Exact answers against tokens of documents in the context, of 64 documents."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for one in rows:
        axes.plot(one["document_tokens"], one["exact"], "o")
        label = f"{one['way']}\n{one['first_token_ms']:.0f} ms"
        axes.annotate(label, (one["document_tokens"], one["exact"]), (5, 4), textcoords="offset points", fontsize=8)
    axes.set(ylim=(0, 1), xlabel="document tokens in the context", ylabel="exact answers, 64 documents")
    axes.margins(x=0.2)
    return _save(figure, path)


def _save(figure: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    return path
