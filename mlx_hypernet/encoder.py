"""The context encoder: the frozen base model itself, handing over one layer's features at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from numpy.typing import NDArray

from mlx_hypernet.base import text_model


class _Tap:
    """Stands in for a block during one forward pass and notes the block's input.

    The last block's tap does not run it: its input goes straight into the base's final norm.
    """

    def __init__(self, block: nn.Module, inputs: list[mx.array], run: bool) -> None:
        self._block, self._inputs, self._run = block, inputs, run

    def __call__(self, x: mx.array, *args: Any, **kwargs: Any) -> Any:
        self._inputs.append(x)
        return self._block(x, *args, **kwargs) if self._run else x

    def __getattr__(self, name: str) -> Any:
        return getattr(self._block, name)


def layer_features(model: nn.Module, ids: mx.array) -> Iterator[tuple[int, mx.array]]:
    """Walk the base block by block over a batch of chunks.

    The base's own forward pass is used, so its embedding scale, masks, sliding windows and attention scales
    are right for every architecture. MLX being lazy, that pass only writes down the graph; each block is
    computed when its features are asked for, and nothing keeps them after that: peak memory does not grow
    with the number of layers.

    Args:
        model: any mlx-lm model with `embed_tokens`, `layers` and `norm`; no adapter attached (`live.bare`).
        ids: (B, T) token ids; shorter chunks are padded on the right, where causal attention keeps the
            padding from the tokens before it.

    Yields:
        (layer, features (B, T, hidden)): the input of block `layer`; for the last layer its input after the
        final norm. The last block and the LM head never run.
    """
    text = text_model(model)
    blocks = text.layers
    inputs: list[mx.array] = []
    last = len(blocks) - 1
    text.layers = [_Tap(block, inputs, run=i < last) for i, block in enumerate(blocks)]
    try:
        normed = text(ids)
    finally:
        text.layers = blocks
    inputs[last] = normed
    inputs.reverse()
    del normed
    for layer in range(last + 1):
        features = inputs.pop()
        mx.eval(features)
        yield layer, features


def exit_features(model: nn.Module, features: mx.array, layer: int) -> mx.array:
    """Features of a block, as `layer_features` yields them, after the final norm: where reading stops early."""
    text = text_model(model)
    return features if layer == len(text.layers) - 1 else text.norm(features)


def last_features(model: nn.Module, ids: mx.array) -> mx.array:
    """The last layer's features alone (B, T, hidden); arguments as of `layer_features`."""
    for _, features in layer_features(model, ids):
        last = features
    return last


def pooled(features: mx.array, spans: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
    """The mean of each chunk's features over its own tokens: what the chunk is about, in one vector.

    The features of the last layer after the final norm are pooled: they are computed anyway. The template's tokens
    are left out: they are the same in every chunk, and among them is the first, whose features dwarf all others in many
    bases.

    Args:
        features: (B, T, hidden) of the last layer.
        spans: for each chunk, the first of its own tokens and the one after the last.

    Returns:
        (B, hidden) float32.
    """
    at = mx.arange(features.shape[1])
    first, after = mx.array(list(spans)).T[..., None]  # (B, 1) each
    weights = ((first <= at) & (at < after)) / (after - first)  # (B, T)
    return np.array((weights[:, None] @ features.astype(mx.float32))[:, 0])
