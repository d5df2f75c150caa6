"""Where the embedding is read, equal tokens are projected once: latents and gradients stay what they were."""

from __future__ import annotations

import torch

from tests.training import tiny_run
from torch_train.model.moving import Distinct
from torch_train.model.ragged import Ragged


def test_projecting_each_token_once_changes_nothing() -> None:
    ids = torch.tensor([5, 3, 5, 9, 3, 5, 2])
    distinct, row = Distinct.of(ids), Ragged.of([4, 3])
    assert torch.equal(ids[distinct.first][distinct.which], ids)
    assert len(distinct.first) == 4
    torch.manual_seed(0)
    hypernet = tiny_run.hypernet().double()
    embedded = torch.randn(10, 32, dtype=torch.float64)[ids]
    features = [embedded, *torch.randn(2, len(ids), 32, dtype=torch.float64)]
    read = [name for name, _ in hypernet.named_parameters() if name.startswith(("modality_projection", "encoder"))]
    parameters = [hypernet.get_parameter(name) for name in read]
    found = []
    for same in (None, distinct):
        latents = hypernet.read_packed(features, row, same)
        found.append((latents, *torch.autograd.grad(latents.square().sum(), parameters)))
    for whole, once in zip(*found, strict=True):
        torch.testing.assert_close(once, whole)
