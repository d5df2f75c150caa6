"""Pairs of tokens that follow each other, written into the rows of an adapter as they are: which one follows which.

Same names as `torch_train/model/token_pairs.py`. Shapes: B chunks, T tokens, M target modules, r rank, D latent size.
"""

from __future__ import annotations

import math
from itertools import accumulate

import mlx.core as mx
from mlx import nn

from mlx_hypernet.format.config import HypernetConfig

RMS_EPS = 1e-6


class TokenPairs(nn.Module):
    """Gives each row of an adapter a token of its chunk and the one before: wherever that stands, the token follows."""

    def __init__(self, config: HypernetConfig) -> None:
        super().__init__()
        self.config = config
        shape = (config.num_layers, config.rank, 1)
        self.scaler_key = {name: mx.ones(shape) for name in config.modules}
        self.scaler_word = {name: mx.ones(shape) for name in config.modules}
        self.gate = nn.Linear(config.latent_size, 1, bias=False)

    def __call__(self, features: mx.array, layer: int, mask: mx.array | None) -> dict[str, tuple[mx.array, mx.array]]:
        """What is added to A, and, gated, to B.

        Args:
            features: (B, T, feature_size), of one layer.
            layer: index of the layer among the adapted ones.
            mask: (B, T), True for real tokens, which are side by side; None when nothing is padded.

        Returns:
            Module -> ((B, r, d_in), (B, r, hidden)), in fp32.
        """
        config, features = self.config, features.astype(mx.float32)
        mask = mx.ones(features.shape[:2], mx.bool_) if mask is None else mask
        lengths, starts = mask.sum(1, keepdims=True), mask.argmax(1, keepdims=True)  # (B, 1)
        places = (mx.arange(config.rank) * config.num_layers + layer) % lengths  # (B, r)
        preceded, places = (places > 0)[..., None], (starts + places)[..., None]
        ends = accumulate([config.hidden_size] * 2 + [d_in for d_in, _ in config.modules.values()])
        _, words, *inputs = mx.split(features, list(ends)[:-1], axis=-1)
        words = mx.take_along_axis(words, places, axis=1)
        words = mx.fast.rms_norm(words, None, RMS_EPS) / math.sqrt(config.hidden_size)
        pairs = {}
        for name, read in zip(config.modules, inputs, strict=True):
            keys = mx.take_along_axis(read, places - preceded, axis=1) - (mask / lengths)[:, None] @ read
            keys = keys / mx.maximum(mx.linalg.norm(keys, axis=-1, keepdims=True), 1e-12) * preceded
            pairs[name] = (keys * self.scaler_key[name][layer], words * self.scaler_word[name][layer])
        return pairs

    def gates(self, latents: mx.array) -> mx.array:
        """How much each row uses its pair: (B, M * r, D) -> (B, M, r, 1)."""
        return 1 + self.gate(latents).reshape(-1, len(self.config.modules), self.config.rank, 1)
