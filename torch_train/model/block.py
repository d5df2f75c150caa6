"""One block of the base over a packed row, of any architecture in Llama's layout.

It takes the weights from transformers' modules and writes the arithmetic out: tokens lie in one axis, so products need
no reshaping, and rotations and scales of the positions are made once for all blocks. Half as many operations.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torch_train.model.moving import moved_rows
from torch_train.model.norm import rms_norm

Rotation = tuple[Tensor, Tensor, Tensor, Tensor]  # cosines and signed sines of queries, then of keys, (T, 1, head_dim)


def normed(norm: Any, x: Tensor) -> Tensor:
    """One of transformers' RMSNorms; Gemma's weights are kept less one."""
    if hasattr(norm, "variance_epsilon"):
        return rms_norm(x, norm.weight, norm.variance_epsilon)
    return rms_norm(x, norm.weight + 1.0, norm.eps)


def rotations(embedding: Any, x: Tensor, positions: Tensor, config: Any) -> dict[str | None, Rotation]:
    """Type of a layer -> its rotation. Gemma 3 has one for layers with a window, one for the rest; None is for all."""
    return {
        kind: rotation(embedding, x, positions, config, kind) for kind in getattr(embedding, "layer_types", (None,))
    }


def rotation(embedding: Any, x: Tensor, positions: Tensor, config: Any, kind: str | None = None) -> Rotation:
    """What `rotated` needs, of the base's own rotary embedding.

    Args:
        embedding: Module of transformers, (x, position_ids) -> cosines and sines.
        x: Anything of the blocks' dtype and device.
        positions: Position ids, (T,).
        config: Of the base's text model.
        kind: Type of the layers that it is for, where rotations differ.
    """
    of = {} if kind is None else {"layer_type": kind}
    cosine, sine = (part[0, :, None] for part in embedding(x, position_ids=positions[None], **of))
    half = sine.shape[-1] // 2
    sine = torch.cat([-sine[..., :half], sine[..., half:]], dim=-1)
    beta = (getattr(config, "rope_parameters", None) or {}).get("llama_4_scaling_beta")
    if beta is None or config.model_type != "ministral3":
        return cosine, sine, cosine, sine
    original = config.rope_parameters["original_max_position_embeddings"]
    scale = 1 + beta * torch.log(1 + torch.floor(positions / original))
    scale = scale.to(x.dtype)[:, None, None]
    return cosine * scale, sine * scale, cosine, sine


def rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary position embedding of (T, heads, head_dim): halves swapped, the first one's sign in the sines."""
    return torch.addcmul(x * cosine, x.roll(x.shape[-1] // 2, -1), sine)


def projected(attention: Any, x: Tensor, turns: Rotation) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of a packed row, (T, hidden) -> (T, heads, head_dim) each."""
    q, k, v = (
        module(x).unflatten(-1, (-1, attention.head_dim))
        for module in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    if hasattr(attention, "q_norm"):  # Qwen3, Gemma 3
        q, k = normed(attention.q_norm, q), normed(attention.k_norm, k)
    return rotated(q, *turns[:2]), rotated(k, *turns[2:]), v


def mlp(module: Any, x: Tensor) -> Tensor:
    """Gated MLP, (T, hidden) -> same."""
    return module.down_proj(module.act_fn(module.gate_proj(x)) * module.up_proj(x))


def block(layer: Any, x: Tensor, turns: Rotation, attend: Any, kept: Tensor | None = None) -> Tensor:
    """The whole block, (T, hidden) -> same, or (N, hidden) of the tokens that are kept.

    Args:
        layer: Module of transformers.
        x: What it reads.
        turns: Of the row's positions.
        attend: (attention module, q, k, v) -> (T, heads, head_dim).
        kept: The tokens whose result is wanted, (N,), each once; all are read by attention. None for all.
    """
    sandwiched = hasattr(layer, "pre_feedforward_layernorm")  # Gemma norms what attention and MLP give, too
    attention = layer.self_attn
    heads = attend(attention, *projected(attention, normed(layer.input_layernorm, x), turns))
    if kept is not None:
        x, heads = (moved_rows(part, kept, kept, spread=True) for part in (x, heads))
    attended = attention.o_proj(heads.flatten(1))
    if not sandwiched:
        x = x + attended
        return x + mlp(layer.mlp, normed(layer.post_attention_layernorm, x))
    x = x + normed(layer.post_attention_layernorm, attended)
    return x + normed(layer.post_feedforward_layernorm, mlp(layer.mlp, normed(layer.pre_feedforward_layernorm, x)))
