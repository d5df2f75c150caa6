"""One training step of Ministral-3-3B's hypernetwork, random weights: time, memory, utilisation, and where time goes.

    python -m benchmarks.train_step [--steps 10] [--context-tokens 2048] [--input-tokens 2048]

On CUDA all is as in `torch_train/configs/ministral-3-3b.yaml`: 26 blocks of 3072 columns, 360,224,160 parameters, bf16.
Without CUDA everything is an eighth as wide, in fp32, and the table says so.

Utilisation is what PyTorch counts as the FLOPs of a step without recomputation, by time and by the device's peak:
the data sheet's where it is known, else the best of some matrix products.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import harness
from torch_train.first_hour.ceilings import SHEET
from torch_train.first_hour.ministral import CONFIG, base_model
from torch_train.model.chunking import Chunking
from torch_train.model.encoder import packed_features
from torch_train.model.hypernet import HyperNetwork
from torch_train.training.distillation import DistillationModel
from torch_train.training.dry_run import random_rows
from torch_train.training.heap import keep_freed_memory
from torch_train.training.optimizer import build_optimizer
from torch_train.training.packing import PackedBatch, Packer
from torch_train.training.settings import TrainingSettings, read_settings
from torch_train.training.shape import hypernet_config

DIVISOR = 8  # what the width is divided by without CUDA


@dataclass(frozen=True)
class Timed:
    """Seconds of a step by part, and the peak of memory in bytes."""

    parts: dict[str, float]
    peak: int

    @property
    def seconds(self) -> float:
        """All parts together."""
        return sum(self.parts.values())


class Bench:
    """A model, an optimiser and one full batch."""

    def __init__(self, settings: TrainingSettings, device: torch.device, divisor: int) -> None:
        torch.manual_seed(0)
        self.device, self.settings = device, settings
        self.base = base_model(device, divisor)
        small = replace(settings.hypernet, latent_size=settings.hypernet.latent_size // divisor)
        config = hypernet_config(small, self.base.layers[0], self.base.config)
        with torch.device(device):
            self.hypernet = HyperNetwork(config)
        self.model = DistillationModel(self.hypernet, self.base, self.base, recompute=True, neftune=5.0)
        self.optimizer = build_optimizer(self.hypernet.named_parameters(), settings.optimizer)
        rows = random_rows(settings, self.base.config.vocab_size)
        packing = settings.packing
        packer = Packer(rows, packing.context_tokens, packing.input_tokens, Chunking(packing.max_chunk_tokens), 0)
        batches = packer.batches(0)
        self.batch: PackedBatch = max((next(batches) for _ in range(8)), key=_tokens).to(device)

    def step(self, recompute: bool) -> dict[str, float]:
        """One update; seconds by part."""
        self.hypernet.recompute = self.model.recompute = recompute
        clock = _Clock(self.device)
        losses = self.model(self.batch, torch.Generator(self.device).manual_seed(0))
        clock.lap("forward: contexts, adapters, questions")
        (losses.distillation + 0.1 * losses.magnitude).backward()
        clock.lap("backward" + (" with recomputation" if recompute else ""))
        torch.nn.utils.clip_grad_norm_(self.hypernet.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        clock.lap("clipping and AdamW")
        return clock.parts

    def measure(self, recompute: bool, steps: int) -> Timed:
        """Means over steps, after two that do not count."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        laps = [self.step(recompute) for _ in range(steps + 2)][2:]
        return Timed({name: sum(lap[name] for lap in laps) / steps for name in laps[0]}, _peak(self.device))

    def forward_parts(self) -> dict[str, float]:
        """Seconds of the forward pass by part, without gradients."""
        batch = self.batch
        with torch.no_grad():
            for _ in range(2):
                clock = _Clock(self.device)
                features = packed_features(self.base, batch.context_ids[0], batch.chunks)
                for _feature in features:
                    pass
                clock.lap("encoder: 25 blocks over the contexts")
                self.model.read(batch)
                clock.lap("read")
                self.model(batch)
                clock.lap("all")
        encoder, read, everything = clock.parts.values()
        return {
            "encoder: 25 blocks over the contexts": encoder,
            "projection, Perceiver, head": read - encoder,
            "student: 26 adapted blocks, logits, loss": everything - read,
        }

    def flops(self) -> int:
        """Of one step without recomputation, as PyTorch counts them."""
        with FlopCounterMode(display=False) as counter:
            self.step(recompute=False)
        return counter.get_total_flops()


class _Clock:
    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.parts: dict[str, float] = {}
        self._started = self._now()

    def lap(self, name: str) -> None:
        now = self._now()
        self.parts[name], self._started = now - self._started, now

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def peak_flops(device: torch.device) -> tuple[float, str]:
    """Floating-point operations per second at best, and where the number comes from."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    for known, flops in SHEET.items():
        if known in name:
            return flops, f"{name}, {flops / 1e12:.0f} TFLOP/s by its data sheet"
    size, dtype = (8192, torch.bfloat16) if device.type == "cuda" else (1536, torch.float32)
    a = torch.randn(size, size, device=device, dtype=dtype)
    best = 0.0
    for _ in range(5):
        clock = _Clock(device)
        a @ a
        clock.lap("product")
        best = max(best, 2 * size**3 / clock.parts["product"])
    return best, f"{name}, {best / 1e12:.3g} TFLOP/s measured"


def main() -> None:
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--steps", type=int, default=10, help="steps that are timed")
    parser.add_argument("--context-tokens", type=int, default=2048)
    parser.add_argument("--input-tokens", type=int, default=2048)
    arguments = parser.parse_args()
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    divisor = 1 if device.type == "cuda" else DIVISOR
    tokens = [f"packing.context_tokens={arguments.context_tokens}", f"packing.input_tokens={arguments.input_tokens}"]
    bench = Bench(read_settings(CONFIG, tokens), device, divisor)
    batch = bench.batch
    peak, told = peak_flops(device)
    size = "full size" if divisor == 1 else f"1/{divisor} of the width (no CUDA here), fp32"
    runs = {recompute: bench.measure(recompute, arguments.steps) for recompute in (True, False)}
    flops = bench.flops()
    print(told)
    print(f"{size}: base {_millions(bench.base.model)}, hypernetwork {_millions(bench.hypernet)}")
    print(
        f"a batch: {batch.context_ids.numel():,} context tokens in {len(batch.chunk_contexts)} chunks, "
        f"{batch.input_ids.numel():,} input tokens, {len(batch.targets):,} answer tokens; {flops / 1e12:.3g} TFLOP\n"
    )
    table = harness.Table("gradient checkpointing", "s per step", "tokens/s", "peak memory", "MFU")
    for recompute, timed in runs.items():
        speed, used = _tokens(batch) / timed.seconds, flops / timed.seconds / peak
        sizes = (f"{speed:,.0f}", f"{timed.peak / 1e9:.1f} GB", f"{used:.1%}")
        table.row(_on(recompute), f"{timed.seconds:.3f}", *sizes)
    for recompute, timed in runs.items():
        _parts(f"checkpointing {_on(recompute)}", timed.parts)
    _parts("forward pass alone", bench.forward_parts())


def _parts(title: str, seconds: dict[str, float]) -> None:
    print()
    table = harness.Table(title, "s")
    for name, one in seconds.items():
        table.row(name, f"{one:.3f}")


def _on(recompute: bool) -> str:
    return "on" if recompute else "off"


def _tokens(batch: PackedBatch) -> int:
    return batch.context_ids.numel() + batch.input_ids.numel()


def _peak(device: torch.device) -> int:
    """On CUDA of the run, else of the process so far: the run with checkpointing comes first."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return harness.peak_memory_bytes()


def _millions(model: torch.nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:,.1f}M"


if __name__ == "__main__":
    main()
