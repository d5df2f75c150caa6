"""RMSNorm: PyTorch's fused one where it has a kernel, and a short backward pass on CPUs, where it has none."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def rms_norm(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    """`weight * x / rms(x)` over the last axis; None for a weight of ones.

    On CPUs, autograd takes the operation apart into 14 passes over the gradient; ours takes 5 (docs/measurements.md).
    """
    if (
        weight is not None and x.dtype != weight.dtype
    ):  # bf16 under autocast, of a module in fp32: the kernels take one type
        x, weight = x.float(), weight.float()
    learns = torch.is_grad_enabled() and (x.requires_grad or (weight is not None and weight.requires_grad))
    if learns and x.device.type == "cpu" and x.dtype == torch.float32:
        normed: Tensor = _RMSNorm.apply(x, weight, eps)
        return normed
    return torch.nn.functional.rms_norm(x, x.shape[-1:], weight, eps)


class RMSNorm(nn.RMSNorm):
    """PyTorch's module with `rms_norm` in it."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., size) -> same."""
        return rms_norm(x, self.weight, self.eps or 0.0)


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        inverse = torch.addcmul(length.new_full((), eps), length, length, value=1 / x.shape[-1]).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        return x * inverse if weight is None else (x * inverse).mul_(weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # type: ignore[override]
        x, weight, inverse = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[1]:
            of_weight = (x * inverse).mul_(gradient).flatten(0, -2).sum(0)
        if ctx.needs_input_grad[0]:
            of_x = gradient.clone() if weight is None else gradient * weight
            along = (of_x * x).sum(-1, keepdim=True).mul_(inverse.pow(3)).div_(x.shape[-1])
            of_x = of_x.mul_(inverse).addcmul_(x, along, value=-1)
        return of_x, of_weight, None
