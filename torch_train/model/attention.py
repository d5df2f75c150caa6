"""Attention of packed rows: flash-attention's varlen kernels where installed, else SDPA over padded samples or a mask.

A mask over the whole row costs its length squared: 2,048 tokens of 40 samples take twenty times the products they need.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from torch_train.model.ragged import Ragged

# Queries times keys of a sample, up to which products are quicker than PyTorch's kernel for bf16 on CPUs: five times,
# forward and backward (docs/LOG.md, "attention in bf16 on a CPU").
_SHORT = 2**16


@dataclass(frozen=True)
class RowAttention:
    """Who sees whom in a packed row; made once for all blocks.

    Attributes:
        row: The samples of the row.
        flash: Whether flash-attention's kernels run.
        masks: (sliding window or None, tokens of a padded sample or None for the row) -> who sees whom, bool; filled
            on first use.
    """

    row: Ragged
    flash: bool
    masks: dict[tuple[int | None, int | None], Tensor] = field(default_factory=dict)

    @property
    def pads(self) -> bool:
        """Whether padding makes fewer products than one mask over the row: not where one sample is far the longest."""
        return self.row.folded or self.row.buckets.products < self.row.total**2

    def __call__(self, module: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(T, heads, head_dim), keys and values with fewer heads -> (T, heads, head_dim).

        Args:
            module: The attention of a block, for scale, window and soft cap.
            q: Queries.
            k: Keys.
            v: Values.
        """
        window = getattr(module, "sliding_window", getattr(module.config, "sliding_window", None))
        cap = getattr(module, "attn_logit_softcapping", None)
        if self.flash and not self.row.folded:
            return self._flash(module, q, k, v, window, cap)
        if not self.pads:
            attended = self._sdpa(module, tuple(x.transpose(0, 1)[None] for x in (q, k, v)), window, cap, None)
            return attended[0].transpose(0, 1)
        buckets = self.row.buckets
        padded = zip(*map(buckets.pad, (q, k, v)), strict=True)
        found = [
            self._sdpa(module, tuple(x.transpose(1, 2) for x in parts), window, cap, longest).transpose(1, 2)
            for parts, (_, longest) in zip(padded, buckets.sizes, strict=True)
        ]
        return buckets.unpad(found)

    def _sdpa(
        self, module: Any, parts: tuple[Tensor, ...], window: int | None, cap: float | None, longest: int | None
    ) -> Tensor:
        """Queries, keys, values (B, heads, T, head_dim), of samples padded to `longest` or of the row -> the same."""
        q, k, v = parts
        seen = None
        if longest is None or cap is not None or (window is not None and longest > window):
            seen = self._seen(window, longest)
        if cap is not None or by_products(q, k):
            if seen is None:
                seen = self._seen(window, longest)
            return attention_by_products(q, k, v, seen, module.scaling, cap)
        groups = q.shape[1] // k.shape[1]
        if seen is not None and groups > 1:  # no fused kernel takes both a mask and fewer heads of keys
            k, v = (x.repeat_interleave(groups, dim=1) for x in (k, v))
        return scaled_dot_product_attention(
            q, k, v, attn_mask=seen, is_causal=seen is None, scale=module.scaling, enable_gqa=q.shape[1] != k.shape[1]
        )

    def _seen(self, window: int | None, longest: int | None) -> Tensor:
        """Queries by keys: of a sample padded to `longest`, or of the whole row."""
        if (window, longest) not in self.masks:
            if longest is not None:
                places = torch.arange(longest, device=self.row.places.device)
                distance = places[:, None] - places
                seen = distance >= 0
            else:
                positions, samples = self.row.positions, self.row.samples
                distance = positions[:, None] - positions
                seen = (samples[:, None] == samples) & (distance >= 0)
            self.masks[window, longest] = seen if window is None else seen & (distance < window)
        return self.masks[window, longest]

    def _flash(self, module: Any, q: Tensor, k: Tensor, v: Tensor, window: int | None, cap: float | None) -> Tensor:
        from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

        attend = ALL_ATTENTION_FUNCTIONS[module.config._attn_implementation]
        q, k, v = (x.transpose(0, 1)[None] for x in (q, k, v))
        starts, longest = self.row.starts, self.row.longest
        lengths = {"cu_seq_lens_q": starts, "cu_seq_lens_k": starts, "max_length_q": longest, "max_length_k": longest}
        options = {"scaling": module.scaling, "sliding_window": window, "softcap": cap}
        return attend(module, q, k, v, None, dropout=0.0, **options, **lengths)[0][0]


def by_products(q: Tensor, k: Tensor) -> bool:
    """Whether `attention_by_products` is quicker than the fused kernel for (..., T, head_dim) of short samples."""
    return q.device.type == "cpu" and q.dtype == torch.bfloat16 and q.shape[-2] * k.shape[-2] <= _SHORT


def attention_by_products(
    q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None, scale: float, cap: float | None = None
) -> Tensor:
    """Attention written out, (B, heads, T, head_dim) -> same: query heads that share a key head are more queries.

    Args:
        q: Queries.
        k: Keys, of as many heads or fewer, (B, kv heads, S, head_dim).
        v: Values.
        seen: Who sees whom, bool; or what is added to the scores. (T, S), or with more axes that fit the scores',
            (B, kv heads, heads of each, T, S). None for all.
        scale: Factor of the scores.
        cap: Gemma 2's soft cap between the product and the mask; None for none.
    """
    groups, queries = q.shape[1] // k.shape[1], q.shape[2]
    q = q.unflatten(1, (k.shape[1], groups)).flatten(2, 3)
    scores = ((q * scale) @ k.mT).unflatten(2, (groups, queries))
    if cap is not None:
        scores = cap * torch.tanh(scores / cap)
    if seen is not None:
        scores = scores.masked_fill(~seen, float("-inf")) if seen.dtype == torch.bool else scores + seen
    weights = scores.softmax(-1, dtype=torch.float32).to(v.dtype)
    return (weights.flatten(2, 3) @ v).unflatten(2, (groups, queries)).flatten(1, 2)
