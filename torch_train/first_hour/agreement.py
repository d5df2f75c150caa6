"""Whether a device computes what the CPU computes: losses and gradients of one batch, the same weights on both.

The model is Ministral's at an eighth of its width. fp32 must agree, losses to 1e-3; bf16 is told beside it.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from torch_train.first_hour.ministral import base_model, full_batch, settings_of, trained_model
from torch_train.model.base import FrozenBase
from torch_train.training.distillation import DistillationModel
from torch_train.training.packing import PackedBatch

BOUND = 1e-3
_DIVISOR, _TOKENS = 8, 256


def agreement(device: torch.device) -> dict[str, Any]:
    """Losses, and gradients by norm, relative to the CPU in fp32.

    Returns:
        `agrees`, and by way the relative differences of loss and gradients. On a CPU the other ways are
        recomputation and bf16.
    """
    torch.manual_seed(0)
    host = torch.device("cpu")
    settings = settings_of(_TOKENS, ["optimizer.precision=inference"])
    base = base_model(host, _DIVISOR, torch.float32)
    reference = trained_model(base, settings, _DIVISOR)
    batch = full_batch(settings, base.config.vocab_size)
    expected = _measured(reference, batch)
    names = [name for name, _ in reference.hypernet.named_parameters()]
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    ways: dict[str, dict[str, float]] = {}
    try:
        for name, dtype in (
            (f"{device.type}, fp32, recomputed", torch.float32),
            (f"{device.type}, bf16", torch.bfloat16),
        ):
            found = _measured(_moved(reference, base, device, dtype), batch.to(device))
            ways[name] = _differences(expected, found, names)
    finally:
        torch.set_float32_matmul_precision(before)
    exact = next(iter(ways.values()))
    return {"agrees": exact["loss"] <= BOUND and exact["gradient, all"] <= BOUND, "bound": BOUND, "ways": ways}


def _moved(model: DistillationModel, base: FrozenBase, device: torch.device, dtype: torch.dtype) -> DistillationModel:
    """A copy with the same weights, which recomputes."""
    plain = copy.deepcopy(base.model)
    for layer in plain.model.layers:  # the maps that carry adapters, as they were before
        layer.mlp.down_proj = getattr(layer.mlp.down_proj, "linear", layer.mlp.down_proj)
    other = FrozenBase(plain.to(device, dtype))
    hypernet = copy.deepcopy(model.hypernet).to(device)
    if dtype == torch.float32:  # on CUDA it would take bf16 of its own accord
        hypernet._autocast = _exact  # type: ignore[method-assign]
    return DistillationModel(hypernet, other, other, recompute=True)


def _exact(x: torch.Tensor) -> torch.autocast:
    return torch.autocast(x.device.type, enabled=False)


def _measured(model: DistillationModel, batch: PackedBatch) -> tuple[float, list[torch.Tensor]]:
    model.zero_grad(set_to_none=True)
    losses = model(batch)
    loss = losses.distillation / len(batch.context_groups)
    loss.backward()
    gradients = [
        torch.zeros(()) if parameter.grad is None else parameter.grad.double().cpu()
        for parameter in model.hypernet.parameters()
    ]
    return float(loss.detach()), gradients


def _differences(
    expected: tuple[float, list[torch.Tensor]], found: tuple[float, list[torch.Tensor]], names: list[str]
) -> dict[str, float]:
    """||found - expected|| / ||expected||: of the loss, of all gradients together, and of the worst part."""
    parts: dict[str, tuple[float, float]] = {}
    for name, one, other in zip(names, expected[1], found[1], strict=True):
        difference, size = parts.get(name.partition(".")[0], (0.0, 0.0))
        parts[name.partition(".")[0]] = (
            difference + float((other - one).square().sum()),
            size + float(one.square().sum()),
        )
    total = [sum(part[i] for part in parts.values()) for i in (0, 1)]
    worst = max(parts, key=lambda part: parts[part][0] / (parts[part][1] or 1))
    return {
        "loss": abs(found[0] - expected[0]) / abs(expected[0]),
        "gradient, all": _root(*total),
        f"gradient, worst part: {worst}": _root(*parts[worst]),
    }


def _root(difference: float, size: float) -> float:
    return float((difference / size) ** 0.5) if size else 0.0
