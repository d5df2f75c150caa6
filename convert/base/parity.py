"""The proof of a base's conversion: transformers and MLX give the same logits for the same token ids."""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from convert.base.fp8 import FP8
from convert.errors import FOREIGN, CheckpointError, one_line
from mlx_hypernet.memory import free_memory, total_memory

MAX_ABSOLUTE = 1e-3
# Bounds of rounded weights are so many times the error of one weight: many matrices lie on every path through a
# model, and their errors add up like random ones. Measured on small random models: five times.
RMS_STEPS = 16
# Logits that have nothing to do with each other differ by 1.4.
MAX_RMS = 0.8
PROMPT_TOKENS = 96
# Dtypes of a file that a dtype of the result holds without rounding.
EXACT = {"float32": {"F32", "BF16", "F16", FP8}, "bfloat16": {"BF16"}, "float16": {"F16"}}
_MANTISSA_BITS = {"float32": 23, "bfloat16": 7, "float16": 10}


@dataclass(frozen=True)
class Logits:
    """How far apart the logits of all prompts are.

    Attributes:
        max_absolute: largest |transformers - MLX|.
        max_relative: that, relative to the largest |transformers|.
        rms_relative: root mean square of the difference, relative to that of transformers' logits.
        same_top: share of positions whose most likely token is the same.
    """

    max_absolute: float
    max_relative: float
    rms_relative: float
    same_top: float


@dataclass(frozen=True)
class BaseReport:
    """The parity report of a base.

    Attributes:
        dtype: of the weights that are not quantised.
        q_bits: of those that are.
        exact: whether the conversion rounded nothing, so that only the order of additions differs.
        parameters: of the text model.
        dropped: of the parts that were left out.
        prompts: number of prompts that were compared.
        logits: their differences; None where nothing was compared.
        notes: what the user should know.
    """

    dtype: str
    q_bits: int | None
    exact: bool
    parameters: int
    dropped: int
    prompts: int
    logits: Logits | None
    notes: tuple[str, ...]

    @property
    def bound(self) -> dict[str, float]:
        """The measure that decides, and how large it may be.

        Exact conversions: 1e-3 absolute. Rounded ones: the relative root mean square may be `RMS_STEPS` times a
        weight's own. That is 2^-(mantissa bits + 2) for a dtype (bf16 0.2%), and for quantised weights a twelfth
        root of the step: groups of 64 normal numbers span 4.7 standard deviations, cut into 2^bits - 1 steps
        (8 bits 0.5%, 6 bits 2.2%, 4 bits 9%).
        """
        if self.exact:
            return {"max_absolute": MAX_ABSOLUTE}
        if self.q_bits is None:
            return {"rms_relative": RMS_STEPS * 2.0 ** -(_MANTISSA_BITS[self.dtype] + 2)}
        return {"rms_relative": min(RMS_STEPS * 4.7 / math.sqrt(12) / (2**self.q_bits - 1), MAX_RMS)}

    @property
    def passed(self) -> bool:
        """Whether the differences are within the bound; NaN is not. True where nothing was compared."""
        return self.logits is None or all(getattr(self.logits, name) <= most for name, most in self.bound.items())

    def summary(self) -> str:
        """The report in one line."""
        if self.logits is None:
            return "not compared"
        measures = self.bound.items()
        return ", ".join(f"{name} {getattr(self.logits, name):.1e}, at most {most:.1e}" for name, most in measures)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `base_conversion.json`."""
        return {
            "dtype": self.dtype,
            "q_bits": self.q_bits,
            "parameters": self.parameters,
            "dropped_parameters": self.dropped,
            "parity": {
                "passed": None if self.logits is None else self.passed,
                "prompts": self.prompts,
                "bound": self.bound,
                "logits": self.logits and asdict(self.logits),
            },
            "notes": list(self.notes),
        }

    def table(self) -> str:
        """The report for people."""
        stored = self.dtype if self.q_bits is None else f"{self.q_bits} bits, the rest {self.dtype}"
        lines = [f"{self.parameters:,} parameters in {stored}; {self.dropped:,} of vision parts dropped"]
        if self.logits is not None:
            heads = ("max absolute", "max relative", "rms relative", "same top token")
            numbers = (self.logits.max_absolute, self.logits.max_relative, self.logits.rms_relative)
            values = [*(f"{number:.2e}" for number in numbers), f"{self.logits.same_top:.1%}"]
            lines.append(f"{'transformers / MLX':<20}" + "".join(f"{head:>16}" for head in heads))
            lines.append(f"{'logits':<20}" + "".join(f"{value:>16}" for value in values))
            lines.append(
                f"{self.prompts} prompts of up to {PROMPT_TOKENS} tokens, fp32 arithmetic; bound: {self.summary()}"
            )
        return "\n".join([*lines, *self.notes])


@dataclass(frozen=True)
class Reference:
    """What a conversion is compared with.

    Attributes:
        logits: prompts -> logits of each in fp32, (tokens, vocabulary); called once, loads the model.
        parameters: of the source, all its parts.
        dropped: of the parts that were left out.
        exact: whether the conversion rounds nothing.
        vocab_size, context_length: of the base.
        notes: what the user should know about the result.
    """

    logits: Callable[[list[list[int]]], list[np.ndarray]]
    parameters: int
    dropped: int
    exact: bool
    vocab_size: int
    context_length: int
    notes: tuple[str, ...]


def compare(result: Path, reference: Reference, dtype: str, q_bits: int | None, prompts: int) -> BaseReport:
    """Run both sides, one after the other, in fp32.

    Args:
        result: the converted base, for mlx-lm.
        reference: the base before the conversion.
        dtype: of the result.
        q_bits: of the result.
        prompts: number of seeded prompts; 0 compares nothing.

    Raises:
        ConversionError: when torch is not installed, transformers cannot load the source, or one side fails.
    """
    from mlx_lm.utils import dequantize_model, get_total_parameters, load_model

    notes = list(reference.notes)
    model = load_model(result, lazy=True)[0]
    parameters = int(get_total_parameters(model))
    logits = None
    needed, free = 4 * max(reference.parameters, parameters), free_memory() or total_memory() * 3 // 4
    if prompts == 0:
        notes.append("not compared with transformers (--verify 0)")
    elif needed > free:
        sizes_gb = f"{needed / 1e9:.1f} GB each, one after the other, and {free / 1e9:.1f} GB are free"
        notes.append(f"not compared with transformers: both models need {sizes_gb}")
    else:
        ids = _prompts(reference, prompts)
        model.set_dtype(mx.float32)
        if mx.default_device() == mx.Device(mx.cpu):
            # As the app does: MLX's CPU kernels for quantised weights read a prompt fifteen times slower.
            model = dequantize_model(model)
        try:
            ours = [np.array(model(mx.array([row]))[0]) for row in ids]
            del model
            gc.collect()
            mx.clear_cache()
            logits = _difference(reference.logits(ids), ours)
        except FOREIGN as error:
            reason = f"{type(error).__name__}: {one_line(error)}"
            raise CheckpointError(f"the base cannot be computed with ({reason}): get it again") from error
    return BaseReport(dtype, q_bits, reference.exact, parameters, reference.dropped, prompts, logits, tuple(notes))


def torch_logits(model: Any, prompts: list[list[int]]) -> list[np.ndarray]:
    """Logits of a transformers model, (tokens, vocabulary) for each prompt."""
    import torch

    with torch.inference_mode():
        return [model(torch.tensor([ids])).logits[0].numpy() for ids in prompts]


def _prompts(reference: Reference, count: int) -> list[list[int]]:
    """The same random ids every time."""
    rng = random.Random(0)
    length = min(PROMPT_TOKENS, reference.context_length)
    return [[rng.randrange(reference.vocab_size) for _ in range(length)] for _ in range(count)]


def _difference(expected: list[np.ndarray], ours: list[np.ndarray]) -> Logits:
    theirs, mine = np.concatenate(expected), np.concatenate(ours)
    apart = np.abs(theirs - mine)
    return Logits(
        max_absolute=float(apart.max()),
        max_relative=float(apart.max() / np.abs(theirs).max()),
        rms_relative=float(np.sqrt(np.mean(apart**2) / np.mean(theirs**2))),
        same_top=float((theirs.argmax(-1) == mine.argmax(-1)).mean()),
    )
