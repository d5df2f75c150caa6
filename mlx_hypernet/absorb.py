"""Absorb a document: chunks of token ids in, the adapters of all layers out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mlx.core as mx
from mlx import nn

from mlx_hypernet.adapter import ChunkAdapters
from mlx_hypernet.bundle import Bundle
from mlx_hypernet.encoder import layer_features
from mlx_hypernet.live import bare


class Stopped(Exception):
    """Absorbing was stopped from outside; nothing was kept."""


def absorb(
    model: nn.Module,
    bundle: Bundle,
    chunks: Sequence[Sequence[int]],
    *,
    batch_size: int = 4,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ChunkAdapters:
    """Read a document with the base and write its adapters, layer by layer.

    An adapter that is attached is taken off meanwhile. Peak memory is that of one batch of chunks in one
    layer, plus the adapters themselves.

    Args:
        model: the base.
        bundle: the hypernetwork that belongs to it.
        chunks: token ids as `chunking.split` returns them.
        batch_size: chunks that are read at once.
        on_progress: is told (chunks done, all chunks) after each batch.
        should_stop: is asked before each layer.

    Returns:
        The adapters in the dtype of the base's hidden states.

    Raises:
        Stopped: as soon as `should_stop` says so.
        ValueError: for a document without chunks.
    """
    if not chunks:
        raise ValueError("a document needs at least one chunk")
    batches = []
    with bare(model):
        for start in range(0, len(chunks), batch_size):
            batches.append(_absorb_batch(model, bundle, chunks[start : start + batch_size], should_stop))
            if on_progress is not None:
                on_progress(min(start + batch_size, len(chunks)), len(chunks))
    hypernet = bundle.hypernet
    modules, dtype = hypernet.config.modules, next(iter(batches[0][0].values()))[0].dtype
    adapters = ChunkAdapters(
        # (batch, layer, chunk) -> (chunks, L, r, d)
        A={m: mx.concatenate([mx.stack([pairs[m][0] for pairs in b], 1) for b in batches]) for m in modules},
        B={m: mx.concatenate([mx.stack([pairs[m][1] for pairs in b], 1) for b in batches]) for m in modules},
        bias_A={m: hypernet.bias_A[m].astype(dtype) for m in modules},
        bias_B={m: hypernet.bias_B[m].astype(dtype) for m in modules},
        scale=hypernet.config.scale,
    )
    mx.eval(adapters.A, adapters.B, adapters.bias_A, adapters.bias_B)
    return adapters


def _absorb_batch(
    model: nn.Module,
    bundle: Bundle,
    chunks: Sequence[Sequence[int]],
    should_stop: Callable[[], bool] | None,
) -> list[dict[str, tuple[mx.array, mx.array]]]:
    """For each layer, module -> (A (B, r, d_in), B (B, r, d_out))."""
    ids, mask = pad(chunks)
    layers = []
    for layer, features in layer_features(model, ids):
        if should_stop is not None and should_stop():
            raise Stopped
        pairs = bundle.hypernet(features, layer, mask)
        pairs = {m: (a.astype(features.dtype), b.astype(features.dtype)) for m, (a, b) in pairs.items()}
        mx.eval(pairs)
        layers.append(pairs)
    return layers


def pad(chunks: Sequence[Sequence[int]]) -> tuple[mx.array, mx.array | None]:
    """Zeros on the right of shorter chunks: ids (B, T), and mask (B, T) or None where nothing was added."""
    longest = max(map(len, chunks))
    ids = mx.array([[*chunk, *[0] * (longest - len(chunk))] for chunk in chunks])
    if all(len(chunk) == longest for chunk in chunks):
        return ids, None
    return ids, mx.arange(longest) < mx.array([[len(chunk)] for chunk in chunks])
