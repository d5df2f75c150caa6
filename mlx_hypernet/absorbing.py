"""Absorb a document: chunks of token ids in, the adapters of all layers out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import mlx.core as mx
import numpy as np
from mlx import nn
from numpy.typing import NDArray

from mlx_hypernet.adapter import ChunkAdapters
from mlx_hypernet.bundle import Bundle
from mlx_hypernet.encoder import exit_features, layer_features, pooled
from mlx_hypernet.format.config import BundleConfig
from mlx_hypernet.live import bare
from mlx_hypernet.marks import Marks

BATCH_CHUNKS = 4


class Stopped(Exception):
    """Absorbing was stopped from outside; nothing was kept."""


@dataclass(frozen=True)
class AbsorbedChunks:
    """What some chunks of a document became.

    Attributes:
        adapters: of these chunks, in the dtype of the base's hidden states.
        features: (chunks, D) float32, the mean of what the encoder read in each, to find it again; see
            `encoder.pooled`.
        marks: what the matcher compares a question with, for each chunk; None where the bundle has no matcher.
    """

    adapters: ChunkAdapters
    features: NDArray[np.float32]
    marks: list[Marks] | None = None


class ReadText(NamedTuple):
    """What the base made of a text, to be compared with chunks.

    Attributes:
        features: (D,) float32, pooled as those of chunks.
        marks: for the matcher; None where the bundle has none.
    """

    features: NDArray[np.float32]
    marks: Marks | None


def absorb(
    model: nn.Module,
    bundle: Bundle,
    chunks: Sequence[Sequence[int]],
    *,
    batch_size: int = BATCH_CHUNKS,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ChunkAdapters:
    """Read a whole document with the base and keep its adapters in memory, batch by batch.

    Args:
        model: the base.
        bundle: the hypernetwork that belongs to it.
        chunks: token ids as `chunking.split` returns them.
        batch_size: chunks that are read at once.
        on_progress: called with (chunks done, all chunks) after each batch.
        should_stop: is asked before each layer.

    Raises:
        Stopped: as soon as `should_stop` says so.
        ValueError: for a document without chunks.
    """
    if not chunks:
        raise ValueError("a document needs at least one chunk")
    batches = []
    for start in range(0, len(chunks), batch_size):
        batches.append(absorb_batch(model, bundle, chunks[start : start + batch_size], should_stop).adapters)
        if on_progress is not None:
            on_progress(min(start + batch_size, len(chunks)), len(chunks))
    first = batches[0]
    adapters = ChunkAdapters(
        A={name: mx.concatenate([batch.A[name] for batch in batches]) for name in first.A},
        B={name: mx.concatenate([batch.B[name] for batch in batches]) for name in first.B},
        bias_A=first.bias_A,
        bias_B=first.bias_B,
        scale=first.scale,
        first_layer=first.first_layer,
    )
    mx.eval(adapters.A, adapters.B)
    return adapters


def absorb_batch(
    model: nn.Module,
    bundle: Bundle,
    chunks: Sequence[Sequence[int]],
    should_stop: Callable[[], bool] | None = None,
) -> AbsorbedChunks:
    """Read some chunks at once with the base and write their adapters, layer by layer.

    An adapter that is attached is taken off meanwhile. Peak memory is that of these chunks in one layer, plus
    their adapters: whoever stores them after each batch can absorb a document of any length.

    Args:
        model: the base.
        bundle: the hypernetwork that belongs to it.
        chunks: token ids with the template's around them, one or more chunks.
        should_stop: is asked before each layer.

    Raises:
        Stopped: as soon as `should_stop` says so.
    """
    ids, mask = pad(chunks)
    spans = _own_tokens(bundle.config, chunks)
    config = bundle.config.hypernet
    if not config.reads_template:
        mask = _within(spans, ids.shape[1])
    hypernet, layers, marks = bundle.hypernet, [], None
    with bare(model):
        for layer, features in layer_features(model, ids, config.recorded):
            if should_stop is not None and should_stop():
                raise Stopped
            if bundle.matcher is not None and layer == bundle.matcher.config.layer:
                marks = bundle.matcher.marks(features[..., : config.hidden_size], chunks, spans)
            if layer not in config.read_layers:
                continue
            if config.exit_layer is None:
                made = [hypernet(features, layer - config.first_layer, mask)]
            else:  # read once, by a Perceiver whose queries are those of all layers
                latents = hypernet.read(exit_features(model, features, layer), mask)
                made = [hypernet.generate(latents, i) for i in range(config.num_layers)]
            for pairs in made:
                pairs = {name: (a.astype(features.dtype), b.astype(features.dtype)) for name, (a, b) in pairs.items()}
                mx.eval(pairs)
                layers.append(pairs)
    dtype = features.dtype
    adapters = ChunkAdapters(
        # (layer, chunk) -> (chunks, L, r, d)
        A={name: mx.stack([pairs[name][0] for pairs in layers], 1) for name in hypernet.config.modules},
        B={name: mx.stack([pairs[name][1] for pairs in layers], 1) for name in hypernet.config.modules},
        bias_A={name: bias.astype(dtype) for name, bias in hypernet.bias_A.items()},
        bias_B={name: bias.astype(dtype) for name, bias in hypernet.bias_B.items()},
        scale=config.scale,
        first_layer=config.first_layer,
    )
    mx.eval(adapters.A, adapters.B, adapters.bias_A, adapters.bias_B)
    return AbsorbedChunks(adapters, pooled(features[..., : config.hidden_size], spans), marks)


def read(model: nn.Module, bundle: Bundle, ids: Sequence[int]) -> ReadText:
    """Read a text that is to be compared with chunks; no adapter is made.

    Args:
        model: the base.
        bundle: whose template is around the ids.
        ids: the text's token ids, the template's around them as around a chunk's.
    """
    spans, marks = _own_tokens(bundle.config, [ids]), None
    with bare(model):
        for layer, features in layer_features(model, mx.array([ids])):
            if bundle.matcher is not None and layer == bundle.matcher.config.layer:
                (marks,) = bundle.matcher.marks(features, [ids], spans)
    return ReadText(pooled(features, spans)[0], marks)


def pad(chunks: Sequence[Sequence[int]]) -> tuple[mx.array, mx.array | None]:
    """Zeros on the right of shorter chunks: ids (B, T), and mask (B, T) or None where nothing was added."""
    longest = max(map(len, chunks))
    ids = mx.array([[*chunk, *[0] * (longest - len(chunk))] for chunk in chunks])
    if all(len(chunk) == longest for chunk in chunks):
        return ids, None
    return ids, mx.arange(longest) < mx.array([[len(chunk)] for chunk in chunks])


def _within(spans: Sequence[tuple[int, int]], length: int) -> mx.array:
    """Mask (B, length) of the tokens from the first to before the last of each span."""
    at = mx.arange(length)
    first, after = mx.array(list(spans)).T[..., None]
    return (first <= at) & (at < after)


def _own_tokens(config: BundleConfig, chunks: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """For each chunk, where what it says begins and ends between the template's ids."""
    first, behind = len(config.prefix_ids), len(config.suffix_ids)
    return [
        (first, len(chunk) - behind) if len(chunk) > first + behind else (0, len(chunk))  # an empty text
        for chunk in chunks
    ]
