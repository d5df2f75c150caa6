"""The numbers of a first hour as one page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch_train.first_hour.environment import told


def page(numbers: dict[str, Any]) -> str:
    """Markdown of what is there so far: environment, agreement, ceilings, speed; the training has a page of its own."""
    lines = ["# The first hour", ""]
    lines += [f"`{numbers['command']}`, {numbers['date']}", ""]
    writers: dict[str, Callable[[Any], list[str]]] = {
        "environment": _environment,
        "agreement": _agreement,
        "ceilings": _ceilings,
        "speed": _speed,
        "training": _training,
        "bundle": _bundle,
    }
    for name, written in writers.items():
        if name in numbers:
            lines += [f"## {name.capitalize()}", "", *written(numbers[name]), ""]
    lines += [", ".join(f"{name} {seconds} s" for name, seconds in numbers.get("seconds", {}).items()), ""]
    return "\n".join(lines)


def _environment(found: dict[str, Any]) -> list[str]:
    return [f"- {line}" for line in told(found)]


def _agreement(found: dict[str, Any]) -> list[str]:
    verdict = "fp32 agrees with the CPU" if found["agrees"] else "fp32 does NOT agree with the CPU"
    names = sorted({name.partition(":")[0] for way in found["ways"].values() for name in way})
    lines = [f"{verdict} (bound {found['bound']:g}); relative differences:", ""]
    lines += [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for way, differences in found["ways"].items():
        cells = [
            next(
                f"{value:.2g}{' (' + name.partition(': ')[2] + ')' if ':' in name else ''}"
                for name, value in differences.items()
                if name.partition(":")[0] == column
            )
            for column in names
        ]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return lines


def _ceilings(found: dict[str, Any]) -> list[str]:
    return [f"- {name}: {value:g}" for name, value in found.items()]


def _speed(found: dict[str, Any]) -> list[str]:
    lines = [
        f"Ministral's hypernetwork, its widths divided by {found['divisor']}; "
        f"100% are {found['peak (TFLOP/s)']:.3g} TFLOP/s.",
        "",
    ]
    lines += ["| tokens of contexts, of inputs | s a step | tokens/s | TFLOP a step | utilisation | peak memory (GB) |"]
    lines.append("|---|---|---|---|---|---|")
    for size, one in found["sizes"].items():
        if "seconds" not in one:
            lines.append(f"| {size} | out of memory | | | | |")
            continue
        memory = f"{one['peak memory (GB)']:.1f}" if "peak memory (GB)" in one else ""
        lines.append(
            f"| {size} | {one['seconds']:.3g} | {one['tokens a second']:,.0f} | {one['TFLOP']:.3g} | "
            f"{one['utilisation']:.1%} | {memory} |"
        )
    lines += ["", "Where the time of a step goes:", "", "| operation | share |", "|---|---|"]
    return [*lines, *(f"| `{name}` | {share:.1%} |" for name, share in found["profile"].items())]


def _training(text: str) -> list[str]:
    return text.splitlines()[2:]


def _bundle(text: str) -> list[str]:
    return [text]
