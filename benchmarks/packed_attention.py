"""A training step of nano with the attention of packed rows padded, against one mask over the row: seconds and ratio.

    python -m benchmarks.packed_attention [--batches 12] [--tokens 1024 2048 4096]

Forward and backward of real batches of nano's notes; both ways take turns, so that a busy machine slows both.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest.mock import patch

import torch

from benchmarks import harness
from torch_train.model.attention import RowAttention
from torch_train.nano.teacher import teach
from torch_train.training.packing import PackedBatch
from torch_train.training.settings import read_settings
from torch_train.training.train import prepare

CONFIG = Path(__file__).parents[1] / "torch_train" / "configs" / "nano-notes.yaml"
BASE = Path(__file__).parents[1] / "thoth" / "nano" / "base"


def seconds(model: torch.nn.Module, batch: PackedBatch) -> float:
    return harness.seconds_of(lambda: model(batch).distillation.backward())


def measure(teacher: Path, tokens: int, batches: int) -> tuple[float, float]:
    """Mean seconds of a batch, (padded, masked)."""
    sizes = [f"packing.context_tokens={tokens}", f"packing.input_tokens={tokens}", "hypernet.start=null"]
    with tempfile.TemporaryDirectory() as folder:
        places = [f"base.path={BASE}", f"data.teacher=[{teacher}]", f"run.folder={folder}"]
        run = prepare(read_settings(CONFIG, [*sizes, *places]))
    model = run.loop._model
    total = [0.0, 0.0]
    for number, ticket in enumerate(run.stream.take(batches + 2)):
        batch = run.stream.pack(ticket)
        padded = seconds(model, batch)
        with patch.object(RowAttention, "pads", False):
            plain = seconds(model, batch)
        if number >= 2:  # the first ones also find memory
            total = [total[0] + padded, total[1] + plain]
    return total[0] / batches, total[1] / batches


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--tokens", type=int, nargs="+", default=(1024, 2048, 4096), help="of contexts and of inputs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        teach(Path(folder), BASE, shards=2, seed=0)
        table = harness.Table("tokens of contexts and inputs", "padded, s", "one mask, s", "ratio")
        for tokens in options.tokens:
            padded, plain = measure(Path(folder), tokens, options.batches)
            table.row(f"{tokens:,}", f"{padded:.3f}", f"{plain:.3f}", f"{plain / padded:.2f}")


if __name__ == "__main__":
    main()
