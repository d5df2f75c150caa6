"""Queries brought into the context's space read what keys and values would have told them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mlx_hypernet.format.config import HypernetConfig
from torch_train.model import hypernet
from torch_train.model.hypernet import Perceiver
from torch_train.model.ragged import Ragged

CONFIG = HypernetConfig(2, 24, {"down_proj": (48, 24)}, 3, 5.0, 16, 4, 2, 4, 2, 8)
ROW = Ragged.of([7, 3, 5])


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "padded"])
def test_absorbed_projections_change_nothing(monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    torch.manual_seed(0)
    perceiver = Perceiver(CONFIG, 4, 2).double()
    for block in perceiver.blocks:
        torch.nn.init.normal_(block.context_norm.weight)
    context = torch.randn(2, ROW.total, 16, dtype=torch.float64)
    given = (context, None, ROW) if packed else (ROW.pad(context, dim=1).flatten(0, 1), ROW.mask.repeat(2, 1))
    found = []
    for absorbed in (False, True):
        monkeypatch.setattr(hypernet, "absorbs", lambda *_, absorbed=absorbed: absorbed)
        read = given[0].clone().requires_grad_()
        latents = perceiver(read, *given[1:])
        found.append((latents, *torch.autograd.grad(latents.square().sum(), [read, *perceiver.parameters()])))
    for plain, other in zip(*found, strict=True):
        torch.testing.assert_close(other, plain)


def test_projections_are_absorbed_where_that_is_less_work() -> None:
    ministral = replace(CONFIG, latent_size=512, num_heads=16, num_kv_heads=4, head_dim=128)
    nano = replace(CONFIG, latent_size=128, num_heads=8, num_kv_heads=4, head_dim=32)
    assert hypernet.absorbs(ministral, 8, 26, 256, 26 * 256)
    assert not hypernet.absorbs(ministral, 8, 26, 8, 26 * 8)  # the decoder reads eight latents
    assert not hypernet.absorbs(nano, 32, 56, 100, 56 * 100)  # 32 latents ask
