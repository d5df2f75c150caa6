"""Attention of packed rows where flash-attention's varlen kernels are missing: every sample by itself, padded.

A mask over the whole row costs its length squared: 2,048 tokens of 40 samples take twenty times the products they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

NAME = "packed_sdpa"


@dataclass(frozen=True)
class Padding:
    """Where the tokens of a packed row are in a batch that has a sample to a row.

    Attributes:
        slots: Place of each token in the flattened batch, (T,); every place is taken once at most.
        samples: Rows of the batch, M.
        longest: Its columns.
    """

    slots: Tensor
    samples: int
    longest: int

    @classmethod
    def of(cls, positions: Tensor, samples: Tensor) -> Padding:
        """The padding of a packed row.

        Args:
            positions: Position ids, from 0 in every sample, (1, T).
            samples: Sample of each token, from 0 without gaps, (1, T).
        """
        count, longest = int(samples.max()) + 1, int(positions.max()) + 1
        return cls(samples[0] * longest + positions[0], count, longest)

    @property
    def saves(self) -> bool:
        """Whether fewer products are made than with one mask over the row: not where one sample is far the longest."""
        return self.samples * self.longest**2 < len(self.slots) ** 2

    def pad(self, x: Tensor) -> Tensor:
        """(T, ...) -> (M, longest, ...), 0 where there is no token."""
        padded = x.new_zeros(self.samples * self.longest, *x.shape[1:]).index_copy(0, self.slots, x)
        return padded.unflatten(0, (self.samples, self.longest))

    def unpad(self, x: Tensor) -> Tensor:
        """(M, longest, ...) -> (T, ...)."""
        return x.flatten(0, 1)[self.slots]


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    padding: Padding | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """SDPA, called as transformers calls it: (B, heads, T, head_dim) -> (B, T, heads, head_dim).

    Args:
        module: The attention of a block.
        query: Queries; of a packed row (B = 1) where there is `padding`, and so the next two.
        key: Keys.
        value: Values.
        attention_mask: None where there is `padding`: after the last token of a sample nothing is real, so that
            being causal is mask enough.
        padding: Of the row; None for attention as ever.
        others: What transformers passes on.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward as sdpa

    if padding is None:
        return sdpa(module, query, key, value, attention_mask, **others)
    q, k, v = (padding.pad(x[0].transpose(0, 1)).transpose(1, 2) for x in (query, key, value))
    padded, _ = sdpa(module, q, k, v, None, **{**others, "is_causal": True})
    return padding.unpad(padded)[None], None


def install(config: Any) -> None:
    """Let the blocks of a model take `attend` in place of plain SDPA."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    config._attn_implementation = NAME
