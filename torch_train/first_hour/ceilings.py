"""What a device can do at best, measured: bytes a second of a copy, operations a second of matrix products."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import torch

# bf16, dense, by the data sheets.
SHEET = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}
_REPEATS = 5
# Largest matrices and copies: several times any cache on a GPU, a second or two on a CPU core.
_SIZES = {"cuda": (8192, 2**32), "cpu": (1024, 2**27)}


def ceilings(device: torch.device) -> dict[str, Any]:
    """Bandwidth in GB/s, bytes read and written together, and matrix products in TFLOP/s by type.

    Random numbers: products of zeros are faster.
    """
    size, count = _SIZES[device.type]
    found: dict[str, Any] = {"copy (GB/s)": round(2 * count / _copy_seconds(count, device) / 1e9, 1)}
    for name, dtype, precision in _products(device):
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(precision)
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        seconds = best_seconds(lambda a=a, b=b: a @ b, device)  # type: ignore[misc]
        torch.set_float32_matmul_precision(before)
        found[f"{name} product (TFLOP/s)"] = round(2 * size**3 / seconds / 1e12, 3)
    sheet = next((flops for name, flops in SHEET.items() if name in _name(device)), None)
    if sheet is not None:
        found["bf16 by the data sheet (TFLOP/s)"] = sheet / 1e12
    return found


def _copy_seconds(count: int, device: torch.device) -> float:
    source = torch.randint(0, 255, (count,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return best_seconds(lambda: target.copy_(source), device)


def best_seconds(task: Callable[[], object], device: torch.device) -> float:
    """Seconds of the fastest of some calls, after one that does not count."""
    task()
    best = float("inf")
    for _ in range(_REPEATS):
        wait(device)
        began = time.perf_counter()
        task()
        wait(device)
        best = min(best, time.perf_counter() - began)
    return best


def wait(device: torch.device) -> None:
    """Until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def free() -> None:
    """Give back what is no longer used."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _products(device: torch.device) -> list[tuple[str, torch.dtype, str]]:
    products = [("fp32", torch.float32, "highest")]
    if device.type == "cuda":
        products += [("TF32", torch.float32, "high"), ("bf16", torch.bfloat16, "highest")]
    return products


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
