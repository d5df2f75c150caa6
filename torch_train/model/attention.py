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
        if cap is not None:
            return capped_attention(q, k, v, seen, module.scaling, cap)
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


def capped_attention(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None, scale: float, cap: float) -> Tensor:
    """Gemma 2's: a soft cap between the product and the mask; (B, heads, T, head_dim) -> same."""
    groups = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(groups, dim=1) for x in (k, v))
    scores = cap * torch.tanh(q @ k.mT * (scale / cap))
    if seen is not None:
        scores = scores.masked_fill(~seen, float("-inf"))
    return scores.softmax(-1, dtype=torch.float32).to(q.dtype) @ v
