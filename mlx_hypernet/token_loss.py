"""How well the base reads a text: its mean loss on it, which tells texts of its own kind from all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
from mlx import nn

from mlx_hypernet.live import bare


def token_loss(model: nn.Module, texts: Sequence[Sequence[int]], prefix_ids: Sequence[int]) -> float:
    """Return the mean cross-entropy of all tokens of some texts, each after the same prefix, in nats a token.

    An adapter that is attached is taken off meanwhile.

    Args:
        model: the base.
        texts: token ids of each, without a template.
        prefix_ids: ids before each; one or more, so that the first token of a text is predicted too.

    Raises:
        ValueError: There is no token, or no prefix.
    """
    if not prefix_ids or not any(texts):
        raise ValueError("a loss needs a prefix and at least one token")
    losses = []
    with bare(model):
        for ids in filter(None, texts):
            whole = mx.array([*prefix_ids, *ids])
            logits = model(whole[None, :-1])[0, len(prefix_ids) - 1 :].astype(mx.float32)  # (T, vocabulary)
            losses.append(nn.losses.cross_entropy(logits, whole[len(prefix_ids) :]))
            mx.eval(losses[-1])
    mean: Any = mx.concatenate(losses).mean().item()
    return float(mean)
