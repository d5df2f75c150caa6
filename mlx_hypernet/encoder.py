"""The context encoder: the frozen base model itself, handing over one layer's features at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from numpy.typing import NDArray

from mlx_hypernet.base import module_at, replace_modules, target_path, text_model


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


class _Recorder(nn.Module):
    """Stands in for a module of a block during one forward pass and notes what it reads."""

    def __init__(self, module: nn.Module, inputs: list[mx.array]) -> None:
        super().__init__()
        self._module, self._inputs = module, inputs

    def __call__(self, x: mx.array) -> Any:
        self._inputs.append(x)
        return self._module(x)


@contextmanager
def _module_inputs(blocks: Sequence[nn.Module], names: Sequence[str]) -> Iterator[list[list[mx.array]]]:
    """For each block what its modules of these names read within the context, in their order."""
    paths = {name: target_path(blocks[0], name) for name in names}
    found: dict[str, list[list[mx.array]]] = {name: [[] for _ in blocks] for name in names}
    real = [{path: module_at(block, path) for path in paths.values()} for block in blocks]
    for at, block in enumerate(blocks):
        for name, path in paths.items():
            replace_modules(block, {path: _Recorder(real[at][path], found[name][at])})
    read: list[list[mx.array]] = [[] for _ in blocks]
    try:
        yield read
        for at in range(len(blocks)):
            read[at] += [found[name][at].pop() for name in names]
    finally:
        for block, modules in zip(blocks, real, strict=True):
            replace_modules(block, modules)


def layer_features(model: nn.Module, ids: mx.array, recorded: Sequence[str] = ()) -> Iterator[tuple[int, mx.array]]:
    """Walk the base block by block over a batch of chunks.

    The base's own forward pass is used, so its embedding scale, masks, sliding windows and attention scales
    are right for every architecture. MLX being lazy, that pass only writes down the graph; each block is
    computed when its features are asked for, and nothing keeps them after that: peak memory does not grow
    with the number of layers.

    Args:
        model: any mlx-lm model with `embed_tokens`, `layers` and `norm`; no adapter attached (`live.bare`).
        ids: (B, T) token ids; shorter chunks are padded on the right, where causal attention keeps the
            padding from the tokens before it.
        recorded: modules of each block whose inputs are wanted, too.

    Yields:
        (layer, features (B, T, hidden)): the input of block `layer`; for the last layer its input after the
        final norm. The last block and the LM head never run. With `recorded`, the tokens' embeddings and the inputs of
        these modules are behind the features, and the last block runs for them.
    """
    text = text_model(model)
    blocks = text.layers
    inputs: list[mx.array] = []
    last = len(blocks) - 1
    text.layers = [_Tap(block, inputs, run=i < last or bool(recorded)) for i, block in enumerate(blocks)]
    try:
        with _module_inputs(blocks, recorded) as read:
            normed = text(ids)
    finally:
        text.layers = blocks
    inputs[last] = text.norm(inputs[last]) if recorded else normed
    words = inputs[0]
    inputs.reverse()
    read.reverse()
    del normed
    for layer in range(last + 1):
        features, behind = inputs.pop(), read.pop()
        features = mx.concatenate([features, words, *behind], axis=-1) if recorded else features
        mx.eval(features)
        del behind
        yield layer, features


def exit_features(model: nn.Module, features: mx.array, layer: int) -> mx.array:
    """Features of a block, as `layer_features` yields them, after the final norm: where reading stops early."""
    text = text_model(model)
    return features if layer == len(text.layers) - 1 else text.norm(features)


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
