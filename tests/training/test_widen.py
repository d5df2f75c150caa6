"""A wider hypernetwork is the same function until it is trained."""

from __future__ import annotations

import pytest
import torch

from torch_train.config import HypernetConfig
from torch_train.hypernet import HyperNetwork
from torch_train.nano import widen as module
from torch_train.nano.widen import widen

NARROW = HypernetConfig(
    num_layers=3,
    hidden_size=16,
    modules={"down_proj": (24, 16), "o_proj": (16, 16)},
    rank=2,
    scale=3.0,
    latent_size=8,
    num_latents=3,
    num_blocks=2,
    num_heads=4,
    num_kv_heads=2,
    head_dim=4,
)


@pytest.fixture
def narrow() -> HyperNetwork:
    """With every parameter drawn: B and its scalers, too."""
    torch.manual_seed(0)
    hypernet = HyperNetwork(NARROW)
    for parameter in hypernet.parameters():
        torch.nn.init.normal_(parameter)
    return hypernet


def deltas(hypernet: HyperNetwork, features: torch.Tensor) -> dict[str, torch.Tensor]:
    """What adapter and bias pair add to each linear, (B, L, d_in, d_out)."""
    bias = hypernet.bias()
    with torch.no_grad():
        return {
            name: torch.einsum("blri,blro->blio", a, b) + torch.einsum("lri,lro->lio", *bias[name])
            for name, (a, b) in hypernet(features).items()
        }


def test_without_noise_it_is_the_same_function(narrow: HyperNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NOISE", 0.0)
    wide = widen(narrow, rank=6, num_latents=12, seed=0)
    features = torch.randn(2, 3, 5, 16)
    assert (wide.config.rank, wide.config.num_latents, wide.config.scale) == (6, 12, 3.0)
    for (name, delta), wider in zip(deltas(narrow, features).items(), deltas(wide, features).values(), strict=True):
        assert wide(features)[name][0].shape[2] == 6
        torch.testing.assert_close(wider, delta, atol=1e-5, rtol=1e-5)


def test_with_noise_the_copies_differ(narrow: HyperNetwork) -> None:
    a, _ = widen(narrow, rank=4, num_latents=3, seed=0)(torch.randn(1, 3, 5, 16))["o_proj"]
    first, second = a[:, :, :2], a[:, :, 2:]
    assert (first - second).abs().max() > 1e-3


def test_a_seed_gives_the_same_again_and_one_time_is_no_change(narrow: HyperNetwork) -> None:
    one, again, other = (widen(narrow, 4, 6, seed).encoder.latents for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    same = widen(narrow, NARROW.rank, NARROW.num_latents, 0).state_dict()
    assert all(torch.equal(same[name], value) for name, value in narrow.state_dict().items())


def test_only_multiples(narrow: HyperNetwork) -> None:
    with pytest.raises(ValueError, match="no multiples of 2 and 3"):
        widen(narrow, 3, 3, 0)
