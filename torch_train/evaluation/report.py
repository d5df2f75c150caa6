"""From answers to tables and pictures: `report.json`, `report.md`, `scores.png`, `needles.png`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlx_hypernet.format.atomic import replacing, write_json
from torch_train.data.niah import cell
from torch_train.evaluation.metrics import SCORES, is_refusal, normalised, scores, token_f1

if TYPE_CHECKING:
    from torch_train.evaluation.evaluate import Answered

LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192)  # upper ends of the groups by context length
Scores = dict[str, dict[str, float] | None]  # way -> metric -> score; None where it was not answered so
TITLES = {"nothing": "no document", "context": "document in context", "adapter": "adapter"}


def summarise(answered: Sequence[Answered]) -> dict[str, Any]:
    """All numbers of the report, as plain data."""
    own = [one for one in answered if one.relevant]
    questions = [one for one in own if not one.source.startswith("niah/")]
    groups = {}
    if questions:
        groups["all"] = group(questions)
        sources = sorted({one.source.partition("/")[0] for one in questions})
        if len(sources) > 1:
            groups |= {
                name: group(one for one in questions if one.source.partition("/")[0] == name) for name in sources
            }
        for label, some in by_length(questions):
            groups[label] = group(some)
    summary: dict[str, Any] = {"groups": groups}
    if foreign := [one for one in answered if not one.relevant]:
        summary["unrelated"] = unrelated(foreign)
    if hay := [one for one in own if one.source.startswith("niah/")]:
        summary["needles"] = heat_map(hay)
    return summary


def group(answered: Iterable[Answered]) -> dict[str, Any]:
    """Mean scores by way, and shares of the upper bound over the questions whose document fits the context.

    `f1 with in context` takes the answer in context for the reference: what distillation aims at, right or wrong.
    """
    some = list(answered)
    scored = [_scored(one) for one in some]
    bounded = [one for one in scored if one["context"]]
    bounds = _means(bounded, "context")
    shares = {
        way: {name: _ratio(value, bounds[name]) for name, value in _means(bounded, way).items()}
        for way in ("nothing", "adapter")
    }
    return {
        "questions": len(some),
        "fit the context": len(bounded),
        "scores": {way: _means(scored, way) for way in TITLES},
        "share of upper bound": shares,
        "f1 with in context": {way: _mean(_agreement(one, way) for one in some if _fits(one)) for way in TITLES},
    }


def by_length(answered: Sequence[Answered]) -> list[tuple[str, list[Answered]]]:
    """Groups by the length of the context in tokens, those without questions left out."""
    groups = []
    for low, high in zip((0, *LENGTHS), (*LENGTHS, None), strict=True):
        some = [one for one in answered if one.tokens > low and (high is None or one.tokens <= high)]
        label = f"more than {low} tokens" if high is None else f"{low + 1} to {high} tokens"
        if some:
            groups.append((label, some))
    return groups


def unrelated(answered: Sequence[Answered]) -> dict[str, Any]:
    """What a document does to questions that it does not answer.

    `refused`: share of answers that say so; right where the document was the only source, wrong where the base knows
    the answer by itself. `unchanged`: share of answers that are the same as without a document; what is missing to one
    is interference.
    """
    refused = {
        way: _mean(float(is_refusal(text)) for one in answered if (text := one.answers[way]) is not None)
        for way in TITLES
    }
    unchanged = {
        way: _mean(
            float(normalised(text) == normalised(one.answers["nothing"] or ""))
            for one in answered
            if (text := one.answers[way]) is not None
        )
        for way in ("context", "adapter")
    }
    return {"questions": len(answered), "refused": refused, "unchanged": unchanged, **group(answered)}


def heat_map(answered: Sequence[Answered]) -> dict[str, Any]:
    """Share of needles found (their number is in the answer), by length and depth."""
    cells: dict[tuple[int, float], list[Answered]] = {}
    for one in answered:
        cells.setdefault(cell(one.source), []).append(one)
    return {
        "lengths": sorted({length for length, _ in cells}),
        "depths": sorted({depth for _, depth in cells}),
        "cells": [
            {
                "tokens": length,
                "depth": depth,
                "needles": len(some),
                **{way: _mean(_found(one, way) for one in some if one.answers[way] is not None) for way in TITLES},
            }
            for (length, depth), some in sorted(cells.items())
        ],
    }


def write(folder: Path, summary: dict[str, Any], about: dict[str, str]) -> None:
    """Write everything into `folder`."""
    write_json(folder / "report.json", {"about": about, **summary})
    if summary["groups"]:
        _draw_scores(folder / "scores.png", summary["groups"])
    if "needles" in summary:
        _draw_needles(folder / "needles.png", summary["needles"])
    with replacing(folder / "report.md") as partial:
        partial.write_text(markdown(summary, about), encoding="utf-8")


def markdown(summary: dict[str, Any], about: dict[str, str]) -> str:
    """The report as Markdown."""
    lines = ["# Evaluation", "", *(f"- {name}: {value}" for name, value in about.items()), ""]
    if summary["groups"]:
        lines += [*_table(summary["groups"]), "", "![scores](scores.png)", ""]
    if "unrelated" in summary:
        lines += ["## Questions of other documents", "", *_unrelated_table(summary["unrelated"]), ""]
    if "needles" in summary:
        lines += ["## Needles found, by length and depth", "", "![needles](needles.png)", ""]
        lines += [*_needle_table(summary["needles"]), ""]
    return "\n".join(lines)


def _table(groups: dict[str, Any]) -> list[str]:
    lines = ["| contexts | questions | score | no document | in context | adapter | adapter, share of in context |"]
    lines.append("|---|---|---|---|---|---|---|")
    for label, values in groups.items():
        for name in SCORES:
            numbers = [_told(values["scores"][way][name]) for way in TITLES]
            share = _told(values["share of upper bound"]["adapter"][name])
            lines.append(f"| {label} | {values['questions']} | {name} | {' | '.join(numbers)} | {share} |")
        agreement = [_told(values["f1 with in context"][way]) for way in TITLES]
        lines.append(f"| {label} | {values['questions']} | f1 with in context | {' | '.join(agreement)} |  |")
    return lines


def _unrelated_table(values: dict[str, Any]) -> list[str]:
    lines = [f"| {values['questions']} questions | no document | in context | adapter |", "|---|---|---|---|"]
    lines.append(f"| refused | {' | '.join(_told(values['refused'][way]) for way in TITLES)} |")
    unchanged = [_told(values["unchanged"][way]) for way in ("context", "adapter")]
    lines.append(f"| answer as without a document |  | {' | '.join(unchanged)} |")
    lines += [f"| {name} | {' | '.join(_told(values['scores'][way][name]) for way in TITLES)} |" for name in SCORES]
    return lines


def _needle_table(values: dict[str, Any]) -> list[str]:
    found = {(one["tokens"], one["depth"]): one["adapter"] for one in values["cells"]}
    lines = ["| adapter, tokens | " + " | ".join(f"depth {depth:g}" for depth in values["depths"]) + " |"]
    lines.append("|" + "---|" * (len(values["depths"]) + 1))
    for length in values["lengths"]:
        row = (_told(found.get((length, depth))) for depth in values["depths"])
        lines.append(f"| {length} | {' | '.join(row)} |")
    return lines


def _draw_scores(path: Path, groups: dict[str, Any]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 + 1.4 * len(groups), 3.6), layout="constrained")
    axes = figure.subplots()
    for i, (way, title) in enumerate(TITLES.items()):
        heights = [values["scores"][way]["f1"] or 0 for values in groups.values()]
        axes.bar([x + 0.27 * (i - 1) for x in range(len(groups))], heights, width=0.25, label=title)
    axes.set_xticks(range(len(groups)), [label.replace(" tokens", "\ntokens") for label in groups])
    axes.set(ylabel="token F1", ylim=(0, 1))
    axes.legend()
    figure.savefig(path, dpi=110)


def _draw_needles(path: Path, values: dict[str, Any]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 + 1.6 * len(values["lengths"]), 3.6), layout="constrained")
    for axes, way in zip(figure.subplots(1, 2), ("context", "adapter"), strict=True):
        found = {(one["depth"], one["tokens"]): one[way] for one in values["cells"]}
        rows = [[_or_nan(found.get((depth, length))) for length in values["lengths"]] for depth in values["depths"]]
        picture = axes.imshow(rows, vmin=0, vmax=1, cmap="RdYlGn", aspect="auto")
        axes.set_xticks(range(len(values["lengths"])), values["lengths"])
        axes.set_yticks(range(len(values["depths"])), [f"{depth:g}" for depth in values["depths"]])
        axes.set(title=TITLES[way], xlabel="tokens", ylabel="depth")
    figure.colorbar(picture, ax=figure.axes, label="needles found")
    figure.savefig(path, dpi=110)


def _scored(one: Answered) -> Scores:
    return {way: None if text is None else scores(text, one.references) for way, text in one.answers.items()}


def _fits(one: Answered) -> bool:
    return one.answers["context"] is not None


def _agreement(one: Answered, way: str) -> float:
    return token_f1(one.answers[way] or "", one.answers["context"] or "")


def _found(one: Answered, way: str) -> float:
    answer = one.answers[way] or ""
    return float(any(re.search(rf"(?<!\d){re.escape(reference)}(?!\d)", answer) for reference in one.references))


def _means(scored: Sequence[Scores], way: str) -> dict[str, float | None]:
    """Mean of every metric over the questions that were answered this way."""
    return {name: _mean(found[name] for one in scored if (found := one[way])) for name in SCORES}


def _mean(values: Iterable[float]) -> float | None:
    kept = list(values)
    return sum(kept) / len(kept) if kept else None


def _ratio(value: float | None, bound: float | None) -> float | None:
    return value / bound if value is not None and bound else None


def _told(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
