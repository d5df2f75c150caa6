"""Steps of Ministral's hypernetwork at three batch sizes: time, memory, utilisation, and where the time goes."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from torch_train.first_hour.ceilings import free, wait
from torch_train.first_hour.ministral import base_model, full_batch, settings_of, tokens_of, trained_model
from torch_train.training.distillation import DistillationModel
from torch_train.training.optimizer import build_optimizer
from torch_train.training.packing import PackedBatch

# Device -> what the width is divided by, and tokens of contexts and of inputs of each batch.
_SIZES = {"cuda": (1, (2048, 4096, 8192)), "cpu": (8, (64, 128, 256))}
_STEPS = {"cuda": (3, 8), "cpu": (1, 1)}  # that do not count, and that do
_TOLD = 10  # operations of the profile


def speed(device: torch.device, peak: float) -> dict[str, Any]:
    """Time a step at three sizes, and profile the first.

    Args:
        device: Where.
        peak: Operations a second that count as full utilisation.

    Returns:
        `sizes`: a dict by size; one that runs out of memory says so. `profile`: operation -> share of the time.
    """
    divisor, sizes = _SIZES[device.type]
    torch.manual_seed(0)
    found: dict[str, Any] = {"divisor": divisor, "peak (TFLOP/s)": peak / 1e12, "sizes": {}, "profile": {}}
    for tokens in sizes:
        settings, base = settings_of(tokens), base_model(device, divisor)
        model = trained_model(base, settings, divisor)
        optimizer = build_optimizer(model.named_parameters(), settings.optimizer)
        batch = full_batch(settings, base.config.vocab_size).to(device)
        try:
            found["sizes"][str(tokens)] = _timed(model, optimizer, batch, device, peak)
            found["profile"] = found["profile"] or _profile(model, optimizer, batch, device)
        except torch.OutOfMemoryError:
            found["sizes"][str(tokens)] = {"out of memory": True}
        del base, model, optimizer, batch
        free()
    return found


def _timed(
    model: DistillationModel, optimizer: torch.optim.Optimizer, batch: PackedBatch, device: torch.device, peak: float
) -> dict[str, float]:
    warm_up, steps = _STEPS[device.type]
    with FlopCounterMode(display=False) as counter:
        _step(model, optimizer, batch)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for _ in range(warm_up - 1):
        _step(model, optimizer, batch)
    wait(device)
    began = time.perf_counter()
    for _ in range(steps):
        _step(model, optimizer, batch)
    wait(device)
    seconds = (time.perf_counter() - began) / steps
    flops = counter.get_total_flops()
    return {
        "seconds": seconds,
        "tokens": tokens_of(batch),
        "tokens a second": tokens_of(batch) / seconds,
        "TFLOP": flops / 1e12,
        "utilisation": flops / seconds / peak,
        **({"peak memory (GB)": torch.cuda.max_memory_allocated() / 1e9} if device.type == "cuda" else {}),
    }


def _step(model: DistillationModel, optimizer: torch.optim.Optimizer, batch: PackedBatch) -> None:
    losses = model(batch)
    ((losses.distillation + 0.1 * losses.magnitude) / len(batch.context_groups)).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _profile(
    model: DistillationModel, optimizer: torch.optim.Optimizer, batch: PackedBatch, device: torch.device
) -> dict[str, float]:
    """The operations that take most of a step: their own share of the time, on the device that is busy."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with profile(activities=activities) as profiler:
        _step(model, optimizer, batch)
        wait(device)
    key = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    times = {event.key: float(getattr(event, key)) for event in profiler.key_averages()}
    total = sum(times.values()) or 1.0
    most = sorted(times, key=lambda name: times[name], reverse=True)[:_TOLD]
    return {name: times[name] / total for name in most}
