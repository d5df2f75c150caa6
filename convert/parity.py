"""The proof of a conversion: torch and MLX compute the same A, B and logits from the same token ids."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
from mlx import nn

from convert.checkpoint import Checkpoint
from convert.errors import CheckpointError, ConversionError, one_line
from mlx_hypernet.absorb import absorb
from mlx_hypernet.adapter import ChunkAdapters, compose
from mlx_hypernet.bundle import Bundle
from mlx_hypernet.live import attach, detach

if TYPE_CHECKING:
    from torch import Tensor

MAX_ABSOLUTE = 1e-4
# Weights rounded to 16 bits cannot agree to 1e-4: there the difference relative to the largest value counts.
MAX_RELATIVE_16_BIT = 5e-2
PROBE_TOKENS = 48


@dataclass(frozen=True)
class Difference:
    """One row of the report.

    Attributes:
        tensor: `A`, `B` (all modules, layers, chunks) or `logits`.
        max_absolute: largest |torch - MLX|.
        max_relative: that, relative to the largest |torch|.
    """

    tensor: str
    max_absolute: float
    max_relative: float


@dataclass(frozen=True)
class Report:
    """The parity report of one conversion."""

    dtype: str
    rows: list[Difference]
    note: str

    @property
    def passed(self) -> bool:
        """Whether every difference is within its bound; NaN is not."""
        if self.dtype == "float32":
            return all(row.max_absolute <= MAX_ABSOLUTE for row in self.rows)
        return all(row.max_relative <= MAX_RELATIVE_16_BIT for row in self.rows)

    def summary(self) -> str:
        """The report in one line."""
        return ", ".join(f"{row.tensor} by {row.max_absolute:.1e}" for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `conversion.json`."""
        bound = {"max_absolute": MAX_ABSOLUTE} if self.dtype == "float32" else {"max_relative": MAX_RELATIVE_16_BIT}
        rows = [asdict(row) for row in self.rows]
        return {"passed": self.passed, "bound": bound, "differences": rows, "note": self.note}

    def table(self) -> str:
        """The report for people."""
        lines = [f"{'torch against MLX':<20}{'max absolute':>14}{'max relative':>14}"]
        lines += [f"{row.tensor:<20}{row.max_absolute:>14.2e}{row.max_relative:>14.2e}" for row in self.rows]
        return "\n".join([*lines, self.note])


def compare(checkpoint: Checkpoint, bundle: Bundle, base: nn.Module | None, base_path: Path | None) -> Report:
    """Run both sides and compare.

    Args:
        checkpoint: what training wrote; torch runs it in fp32.
        bundle: what was written from it, read back.
        base: the base in MLX; without one random features are compared, and no logits.
        base_path: the same base for transformers.

    Raises:
        ConversionError: when torch is not installed, or transformers cannot load the base.
    """
    try:
        import torch
    except ImportError as error:
        raise ConversionError("comparing needs torch: install it, or pass --no-verify") from error
    with torch.inference_mode():
        if base is None or base_path is None:
            return _compare_hypernets(checkpoint, bundle)
        return _compare_all(checkpoint, bundle, base, base_path)


def _compare_hypernets(checkpoint: Checkpoint, bundle: Bundle) -> Report:
    import torch

    config = checkpoint.config.hypernet
    shape = (2, config.num_layers, PROBE_TOKENS, config.hidden_size)
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = _torch_hypernet(checkpoint)(torch.from_numpy(features))
    layers = [bundle.hypernet(mx.array(features[:, layer]), layer) for layer in range(config.num_layers)]
    pairs = {m: tuple(mx.stack([pairs[m][i] for pairs in layers], 1) for i in (0, 1)) for m in config.modules}
    rows = _adapter_rows(expected, {m: a for m, (a, _) in pairs.items()}, {m: b for m, (_, b) in pairs.items()})
    return Report(bundle.config.dtype, rows, "random features; logits not compared: no base given (--base)")


def _compare_all(checkpoint: Checkpoint, bundle: Bundle, base: nn.Module, base_path: Path) -> Report:
    import torch

    base.set_dtype(mx.float32)
    chunks, query = _probe(checkpoint)
    adapters = absorb(base, bundle, chunks)
    attach(base, compose([adapters]))
    logits = np.array(base(mx.array([query])).astype(mx.float32))
    detach(base)

    torch_base = _torch_base(base_path)
    hypernet = _torch_hypernet(checkpoint)
    generated = [hypernet(_torch_features(torch_base, chunk)) for chunk in chunks]
    pairs = {m: tuple(torch.cat([g[m][i] for g in generated]) for i in (0, 1)) for m in hypernet.config.modules}
    rows = _adapter_rows(pairs, adapters.A, adapters.B)
    _merge(torch_base, pairs, hypernet.bias(), adapters)
    expected = torch_base(torch.tensor([query])).logits
    rows.append(_difference("logits", expected.numpy(), logits))
    return Report(bundle.config.dtype, rows, f"{len(chunks)} chunks through the base in fp32")


def _probe(checkpoint: Checkpoint) -> tuple[list[list[int]], list[int]]:
    """Two chunks of different length, so that padding takes part, and a query; always the same."""
    config, rng = checkpoint.config, random.Random(0)
    words = [rng.randrange(config.base.vocab_size) for _ in range(3 * PROBE_TOKENS)]
    chunks = [words[:PROBE_TOKENS], words[PROBE_TOKENS : 2 * PROBE_TOKENS - 7]]
    return [[*config.prefix_ids, *chunk, *config.suffix_ids] for chunk in chunks], words[2 * PROBE_TOKENS :]


def _torch_hypernet(checkpoint: Checkpoint) -> Any:
    import torch

    from torch_train.config import HypernetConfig
    from torch_train.hypernet import HyperNetwork

    hypernet = HyperNetwork(HypernetConfig.from_dict(checkpoint.config.hypernet.to_dict()))
    weights = {name: np.array(weight.astype(mx.float32)) for name, weight in checkpoint.weights.items()}
    hypernet.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
    return hypernet.eval()


def _torch_base(path: Path) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    try:
        known = type(AutoConfig.from_pretrained(path)) in MODEL_FOR_CAUSAL_LM_MAPPING
        loader = AutoModelForCausalLM if known else AutoModelForImageTextToText
        return loader.from_pretrained(path, dtype=torch.float32).eval()
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"transformers cannot load the base {path} ({one_line(error)}): give another --base"
        ) from error


def _torch_features(model: Any, chunk: list[int]) -> Tensor:
    """(1, L, T, hidden): the input of every block, that of the last one after the final norm."""
    import torch

    decoder = model.get_decoder()
    states = decoder(torch.tensor([chunk]), output_hidden_states=True).hidden_states[:-1]
    return torch.stack([*states[:-1], decoder.norm(states[-1])], dim=1)


def _merge(model: Any, pairs: dict[str, Any], bias: dict[str, Any], adapters: ChunkAdapters) -> None:
    """Add the adapter to the base's weights: shares no code with `LoRALinear`."""
    for layer, block in enumerate(model.get_decoder().layers):
        for module, (a, b) in pairs.items():
            linear = next(m for path, m in block.named_modules() if path.rpartition(".")[2] == module)
            delta = bias[module][1][layer].T @ bias[module][0][layer]
            for chunk in range(adapters.num_chunks):
                delta = delta + b[chunk, layer].T @ a[chunk, layer]
            linear.weight += adapters.scale * delta


def _adapter_rows(pairs: dict[str, Any], a: dict[str, mx.array], b: dict[str, mx.array]) -> list[Difference]:
    rows = []
    for i, (side, arrays) in enumerate((("A", a), ("B", b))):
        ours = [np.array(arrays[m].astype(mx.float32)).ravel() for m in pairs]
        expected = [pair[i].numpy().ravel() for pair in pairs.values()]
        rows.append(_difference(side, np.concatenate(expected), np.concatenate(ours)))
    return rows


def _difference(tensor: str, expected: np.ndarray, ours: np.ndarray) -> Difference:
    absolute = float(np.abs(expected - ours).max())
    largest = float(np.abs(expected).max())
    return Difference(tensor, absolute, absolute / largest if largest else absolute)
