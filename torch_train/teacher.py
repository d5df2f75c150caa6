"""What the teacher says: its most probable next tokens at every answer position."""

from __future__ import annotations

import torch
from torch import Tensor

TOP = 16


def top_log_probabilities(logits: Tensor, top: int = TOP) -> tuple[Tensor, Tensor]:
    """The teacher's `top` log-probabilities, not renormalised.

    Args:
        logits: (N, vocabulary), in any float type.
        top: How many to keep.

    Returns:
        (ids (N, top) int32, log-probabilities (N, top) fp16).
    """
    values, ids = torch.log_softmax(logits.float(), dim=-1).topk(top, dim=-1)
    return ids.int(), values.half()
