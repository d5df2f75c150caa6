"""Pairs of tokens that follow each other, written into the rows of an adapter as they are: which one follows which.

Same names as `mlx_hypernet/token_pairs.py`, which takes the layers one by one.

Shapes: S chunks of C tokens in all, L layers of the base, M target modules, r rank, D latent size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mlx_hypernet.format.config import HypernetConfig
from torch_train.model.norm import rms_norm
from torch_train.model.ragged import Ragged

RMS_EPS = 1e-6
KEY, WORD = 0.3, 0.012  # factors of a pair in A and B at first (docs/LOG.md)


class TokenPairs(nn.Module):
    """Gives each row of an adapter a token of its chunk and the one before: wherever that stands, the token follows.

    What the target module reads at a token hardly depends on what is around it, and the embedding is what the base ends
    with where it expects the token. A hypernetwork learns to write either late; here they are copied.
    """

    def __init__(self, config: HypernetConfig) -> None:
        super().__init__()
        self.config = config
        shape = (config.num_layers, config.rank, 1)
        self.scaler_key = nn.ParameterDict({name: nn.Parameter(torch.full(shape, KEY)) for name in config.modules})
        self.scaler_word = nn.ParameterDict({name: nn.Parameter(torch.full(shape, WORD)) for name in config.modules})
        self.gate = nn.Linear(config.latent_size, 1, bias=False)  # of a row: how much it uses its pair
        nn.init.zeros_(self.gate.weight)

    def forward(self, features: Sequence[Tensor], row: Ragged) -> dict[str, tuple[Tensor, Tensor]]:
        """What is added to A, and, gated, to B.

        Args:
            features: Of each adapted layer, (C, feature_size).
            row: The chunks.

        Returns:
            Module -> ((S, L, r, d_in), (S, L, r, hidden)), in fp32.
        """
        config, starts, lengths = self.config, row.starts[:-1].long(), row.starts.diff().long()
        layer = torch.arange(config.num_layers, device=starts.device)[:, None]
        slots = torch.arange(config.rank, device=starts.device) * config.num_layers + layer  # (L, r)
        places = slots % lengths[:, None, None]  # (S, L, r)
        preceded, places = (places > 0)[..., None], starts[:, None, None] + places
        sizes = [d_in for d_in, _ in config.modules.values()]
        _, words, *inputs = torch.stack(list(features)).float().split([config.hidden_size] * 2 + sizes, dim=-1)
        words = rms_norm(words[0, places], None, RMS_EPS) / math.sqrt(config.hidden_size)
        pairs = {}
        for name, read in zip(config.modules, inputs, strict=True):
            sums = read.new_zeros(len(read), row.count, read.shape[-1]).index_add(1, row.samples, read)
            keys = read[layer, places - preceded[..., 0].int()] - (sums / lengths[:, None]).transpose(0, 1)[:, :, None]
            keys = functional.normalize(keys, dim=-1) * preceded
            pairs[name] = (keys * self.scaler_key[name], words * self.scaler_word[name])
        return pairs

    def gates(self, latents: Tensor) -> Tensor:
        """How much each row uses its pair: (S, L, M * r, D) -> (S, L, M, r, 1)."""
        gates: Tensor = 1 + self.gate(latents)
        return gates.unflatten(2, (len(self.config.modules), self.config.rank))
