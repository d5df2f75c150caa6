"""Muon in fp32. PyTorch's own runs Newton-Schulz in bf16, which costs a CPU without bf16 three model steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # quintic Newton-Schulz, kellerjordan.github.io/posts/muon
_ITERATIONS = 5


def orthogonalise(update: torch.Tensor) -> torch.Tensor:
    """The nearest semi-orthogonal matrices, roughly; (..., rows, columns).

    Every iteration multiplies by a polynomial p of X Xᵀ, so iterations commute: where one side is at least twice the
    other, it is cheaper to multiply these small matrices and X once at the end. The next X Xᵀ is p² X Xᵀ.
    """
    tall = update.shape[-2] > update.shape[-1]
    x = update.mT if tall else update
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = _COEFFICIENTS
    wide = x.shape[-1] >= 2 * x.shape[-2]
    gram, product = x @ x.mT, None
    for remaining in reversed(range(_ITERATIONS)):
        factor = b * gram + c * gram @ gram
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        if not wide:
            x = factor @ x
            gram = x @ x.mT if remaining else gram
            continue
        product = factor if product is None else factor @ product
        gram = factor @ gram @ factor if remaining else gram
    x = x if product is None else product @ x
    return x.mT if tall else x


class Muon(torch.optim.AdamW):
    """Muon for matrices, AdamW for all else, at one learning rate.

    A matrix takes Nesterov momentum, orthogonalised, with steps as large as AdamW's (0.2 RMS, arXiv 2502.16982).

    Args:
        matrices: Matrices, or stacks of matrices, (..., rows, columns).
        rest: Groups of AdamW's, or parameters.
        lr: Learning rate.
        betas: Of AdamW.
        momentum: Decay of the matrices' running gradient.
        weight_decay: Decoupled decay of the matrices.
    """

    def __init__(
        self,
        matrices: Iterable[torch.nn.Parameter],
        rest: Iterable[dict[str, object]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        group = {"params": list(matrices), "momentum": momentum, "weight_decay": weight_decay}
        super().__init__([group, *rest], lr=lr, betas=betas)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of everything that has a gradient."""
        groups = self.param_groups
        self.param_groups = [group for group in groups if "momentum" not in group]
        super().step()
        self.param_groups = groups
        for group in groups:
            if "momentum" in group:
                self._step_matrices(group)

    def _step_matrices(self, group: dict[str, Any]) -> None:
        """Matrices of one shape are orthogonalised together."""
        shapes: dict[torch.Size, list[tuple[torch.nn.Parameter, torch.Tensor]]] = {}
        for parameter in group["params"]:
            if parameter.grad is not None:
                shapes.setdefault(parameter.shape, []).append((parameter, parameter.grad))
        for shape, pairs in shapes.items():
            directions = []
            for parameter, gradient in pairs:
                state = self.state[parameter]
                if not state:
                    state["step"] = torch.zeros(())  # AdamW looks for it where a state is loaded
                    state["momentum"] = torch.zeros_like(parameter)
                state["step"] += 1
                state["momentum"].lerp_(gradient, 1 - group["momentum"])
                directions.append(torch.lerp(gradient, state["momentum"], group["momentum"]))
            rate = group["lr"] * 0.2 * max(shape[-2:]) ** 0.5
            updates = orthogonalise(torch.stack(directions))
            for (parameter, _), update in zip(pairs, updates, strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-rate)
