"""The proof of a conversion: torch and MLX compute the same from the same seeded input, step by step."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten

from convert.checkpoint import Checkpoint
from convert.probe import features_probe, text_probe
from convert.torch_base import require_torch
from mlx_hypernet.format.config import BundleConfig
from mlx_hypernet.memory import total_memory

# Rows of the table, in the order of computation.
ROWS = ("features", "latents", "A", "B", "combined adapter", "logits")


@dataclass(frozen=True)
class Difference:
    """One row of the report: the worst of its parts (a module, a chunk, a side), each measured by itself.

    Attributes:
        tensor: one of `ROWS`.
        max_absolute: largest |torch - MLX|.
        max_relative: that, relative to the largest |torch|.
        rms_relative: root mean square of torch - MLX, relative to that of torch.
    """

    tensor: str
    max_absolute: float
    max_relative: float
    rms_relative: float


@dataclass(frozen=True)
class Tolerance:
    """How far MLX may be from torch.

    Attributes:
        rms_relative: bound on a row's value of that name.
        max_absolute: bound on a row's value of that name, unless it is within `FP32_ROUNDING` of the largest value.
    """

    rms_relative: float
    max_absolute: float = float("inf")

    def allows(self, row: Difference) -> bool:
        """Whether a row is within both bounds; NaN is not."""
        close = row.max_absolute <= self.max_absolute or row.max_relative <= FP32_ROUNDING
        return close and row.rms_relative <= self.rms_relative


# A 3B base's hidden states reach thousands: there two ways to sum up in fp32 differ by more than 1e-4.
FP32_ROUNDING = 1e-5
EXACT = Tolerance(rms_relative=1e-4, max_absolute=1e-4)
# Rounded weights cannot agree to 1e-4, and wrong ones are 1.4 apart. Measured through random hypernetworks of every
# shape in tests/tiny.py, which react more than trained ones, the worst rows (B after three pre-head MLPs) were 1.5e-3
# for float16, 1.1e-2 for bfloat16, 2.7e-2 for 8 bits and 0.31 for 4; nano's were 7e-4, 5e-3, 1.5e-2 and 0.18. The
# bounds are two to three times the worst.
ROUNDED = {
    "float16": Tolerance(5e-3),
    "bfloat16": Tolerance(3e-2),
    "8 bits": Tolerance(8e-2),
    "4 bits": Tolerance(0.6),
}


@dataclass(frozen=True)
class Report:
    """The parity report of one conversion.

    Attributes:
        storage: how the bundle's weights are stored: `bfloat16`, or `4 bits`.
        tolerance: what was allowed.
        parameters: counted in torch and in MLX.
        inputs: the differences for each seeded input.
        note: what the inputs were.
    """

    storage: str
    tolerance: Tolerance
    parameters: tuple[int, int]
    inputs: list[list[Difference]]
    note: str

    @property
    def rows(self) -> list[Difference]:
        """The largest differences over all inputs."""
        return [
            Difference(
                row[0].tensor,
                _largest(d.max_absolute for d in row),
                _largest(d.max_relative for d in row),
                _largest(d.rms_relative for d in row),
            )
            for row in zip(*self.inputs, strict=True)
        ]

    @property
    def passed(self) -> bool:
        """Whether both sides have the same parameters and every difference is allowed."""
        return self.parameters[0] == self.parameters[1] and all(map(self.tolerance.allows, self.rows))

    def summary(self) -> str:
        """What is wrong, in one line."""
        torch_side, mlx_side = self.parameters
        counts = [] if torch_side == mlx_side else [f"{torch_side:,} parameters against {mlx_side:,}"]
        wrong = [row for row in self.rows if not self.tolerance.allows(row)]
        return ", ".join(counts + [f"{row.tensor} by {row.max_absolute:.1e}" for row in wrong])

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `conversion.json`."""
        return {
            "passed": self.passed,
            "storage": self.storage,
            "tolerance": asdict(self.tolerance),
            "parameters": dict(zip(("torch", "mlx"), self.parameters, strict=True)),
            "differences": [asdict(row) for row in self.rows],
            "inputs": [[asdict(row) for row in rows] for rows in self.inputs],
            "note": self.note,
        }

    def table(self) -> str:
        """The report for people."""
        torch_side, mlx_side = self.parameters
        lines = [
            f"{'torch against MLX, ' + self.storage:<30}{'max absolute':>14}{'max relative':>14}{'rms relative':>14}"
        ]
        lines += [
            f"{row.tensor:<30}{row.max_absolute:>14.2e}{row.max_relative:>14.2e}{row.rms_relative:>14.2e}"
            for row in self.rows
        ]
        counts = f"{torch_side:,} parameters in torch, {mlx_side:,} in MLX"
        inputs = f"{len(self.inputs)} seeded input{'s' if len(self.inputs) > 1 else ''}: {self.note}"
        return "\n".join([*lines, counts, inputs])


def compare(
    checkpoint: Checkpoint,
    folder: Path,
    config: BundleConfig,
    base: tuple[nn.Module, Path] | None,
    inputs: int,
) -> Report:
    """Run torch on what training wrote and MLX on the bundle, one after the other, so that only one is in memory.

    Args:
        checkpoint: what training wrote; torch runs it in fp32.
        folder: the bundle, as it was written.
        config: the bundle's.
        base: the base in MLX and its folder; without it random features are compared, and no logits.
        inputs: how many seeded inputs.

    Raises:
        ConversionError: when torch is not installed, or transformers cannot load the base.
    """
    require_torch()
    from convert import mlx_side, torch_side

    hypernet = checkpoint.config.hypernet
    if base is None:
        note = "random features; logits not compared: no base given (--base)"
    elif obstacle := _obstacle(base[0]):
        note, base = f"random features; logits not compared: {obstacle}", None
    else:
        note = "token ids of two chunks and a question, through the base in fp32"
    if base is None:
        features = [features_probe(hypernet, seed) for seed in range(inputs)]
        expected, counted = torch_side.from_features(checkpoint, features)
        gc.collect()
        with _on_cpu():
            ours, count = mlx_side.from_features(folder, features)
    else:
        texts = [text_probe(config, seed) for seed in range(inputs)]
        expected, counted = torch_side.from_text(checkpoint, texts, base[1])
        gc.collect()
        with _on_cpu():
            ours, count = mlx_side.from_text(folder, texts, base[0])
    differences = [
        [difference(row, one[row], other[row]) for row in ROWS if row in one]
        for one, other in zip(expected, ours, strict=True)
    ]
    return Report(storage(config), tolerance(config), (counted, count), differences, note)


def storage(config: BundleConfig) -> str:
    """How a bundle's weights are stored, in words."""
    return f"{config.quantization.bits} bits" if config.quantization else config.dtype


def tolerance(config: BundleConfig) -> Tolerance:
    """What the bundle's storage allows."""
    return ROUNDED.get(storage(config), EXACT)


def difference(row: str, expected: dict[str, np.ndarray], ours: dict[str, np.ndarray]) -> Difference:
    """How far the parts of one row are apart."""
    parts = [(wanted.astype(np.float64), ours[part] - wanted.astype(np.float64)) for part, wanted in expected.items()]
    absolute = [float(np.abs(apart).max()) for _, apart in parts]
    relative = [_ratio(np.abs(apart).max(), np.abs(wanted).max()) for wanted, apart in parts]
    rms = [_ratio(np.sqrt((apart**2).mean()), np.sqrt((wanted**2).mean())) for wanted, apart in parts]
    return Difference(row, _largest(absolute), _largest(relative), _largest(rms))


def _ratio(apart: Any, size: Any) -> float:
    """Relative to a size, or absolute where everything expected is zero."""
    return float(apart / size) if size else float(apart)


@contextmanager
def _on_cpu() -> Iterator[None]:
    """Where fp32 is fp32: a GPU may multiply it as TF32."""
    device = mx.default_device()
    mx.set_default_device(mx.Device(mx.cpu))
    try:
        yield
    finally:
        mx.set_default_device(device)


def _obstacle(base: nn.Module) -> str | None:
    """Why torch cannot run this base in fp32 on this machine, if it cannot."""
    if any(isinstance(module, nn.QuantizedLinear) for module in base.modules()):
        return "the base is quantised, which only MLX reads"
    needed = 4 * sum(parameter.size for parameter in dict(tree_flatten(base.parameters())).values())
    memory = total_memory()
    if needed < 0.8 * memory:
        return None
    return f"the base in fp32 takes {needed / 1e9:.0f} GB of this machine's {memory / 1e9:.0f} GB"


def _largest(values: Iterable[float]) -> float:
    """The maximum, NaN if one is there."""
    return float(np.max(list(values)))
