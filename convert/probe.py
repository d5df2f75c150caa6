"""The seeded inputs on which torch and MLX are compared, and what comes out of each."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from mlx_hypernet.format.config import BundleConfig, HypernetConfig

# Row of the report -> part (module, chunk, side) -> values.
Outputs = dict[str, dict[str, np.ndarray]]

CHUNK_TOKENS = 48
# Features need no positions, and a hypernetwork of full size takes 160 million operations for each.
FEATURE_TOKENS = 8


@dataclass(frozen=True)
class TextProbe:
    """Token ids for a base.

    Attributes:
        chunks: of a document; of different length, so that padding takes part.
        query: is answered with the document's adapter.
    """

    chunks: list[list[int]]
    query: list[int]


@dataclass(frozen=True)
class FeaturesProbe:
    """Random features for a hypernetwork without its base.

    Attributes:
        features: (chunks, L, T, feature_size), of the layers that are read.
        mask: (chunks, T), True for what counts.
    """

    features: np.ndarray
    mask: np.ndarray


def text_probe(config: BundleConfig, seed: int) -> TextProbe:
    """Two chunks and a query of random tokens; always the same for a seed."""
    rng = random.Random(seed)
    words = [rng.randrange(config.base.vocab_size) for _ in range(3 * CHUNK_TOKENS)]
    chunks = [words[:CHUNK_TOKENS], words[CHUNK_TOKENS : 2 * CHUNK_TOKENS - 7]]
    return TextProbe([[*config.prefix_ids, *chunk, *config.suffix_ids] for chunk in chunks], words[2 * CHUNK_TOKENS :])


def features_probe(config: HypernetConfig, seed: int) -> FeaturesProbe:
    """Normal features of two chunks, the second one shorter; always the same for a seed."""
    shape = (2, len(config.read_layers), FEATURE_TOKENS, config.feature_size)
    features = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    words = slice(config.hidden_size, 2 * config.hidden_size)  # the same in all layers
    features[..., words] = features[:, :1, :, words]
    return FeaturesProbe(features, np.arange(FEATURE_TOKENS) < np.array([[FEATURE_TOKENS], [FEATURE_TOKENS - 3]]))
