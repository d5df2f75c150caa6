"""A wider hypernetwork that computes what the narrow one did: more latents, a higher rank, nothing forgotten.

Net2Net's function-preserving widening (arXiv 1511.05641): every latent and every rank occurs several times, and the
copies share what the original contributed. Noise on the learned queries lets training tell the copies apart.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from torch_train.hypernet import HyperNetwork

NOISE = 0.1  # of the learned queries' own standard deviation


def widen(narrow: HyperNetwork, rank: int, num_latents: int, seed: int) -> HyperNetwork:
    """The same function, but for the noise, with multiples of its rank and latents; the scale stays.

    Args:
        narrow: A trained hypernetwork.
        rank: A multiple of its rank.
        num_latents: A multiple of its latents.
        seed: Of the noise.
    """
    old = narrow.config
    if rank % old.rank or num_latents % old.num_latents:
        raise ValueError(f"rank {rank} and {num_latents} latents are no multiples of {old.rank} and {old.num_latents}")
    ranks, latents = rank // old.rank, num_latents // old.num_latents
    wide = HyperNetwork(replace(old, rank=rank, num_latents=num_latents))
    state = dict(narrow.state_dict())
    noise = torch.Generator().manual_seed(seed)
    state["encoder.latents"] = _copies(state["encoder.latents"], latents, noise)
    # the decoder's queries are ordered by module first, rank second
    queries = state["decoder.latents"].unflatten(0, (len(old.modules), old.rank))
    state["decoder.latents"] = torch.cat([_copies(of_module, ranks, noise) for of_module in queries])
    for name in old.modules:
        for key in (f"bias_A.{name}", f"scaler_A.{name}"):
            state[key] = state[key].repeat(1, ranks, 1)
        for key in (f"bias_B.{name}", f"scaler_B.{name}"):
            state[key] = state[key].repeat(1, ranks, 1) / ranks
    wide.load_state_dict(state)
    return wide


def _copies(queries: torch.Tensor, times: int, noise: torch.Generator) -> torch.Tensor:
    """(N, D) -> (times * N, D), each copy with noise of its own; as it is where there is to be no other."""
    if times == 1:
        return queries
    copies = queries.repeat(times, 1)
    return copies + NOISE * queries.std() * torch.randn(copies.shape, generator=noise)
