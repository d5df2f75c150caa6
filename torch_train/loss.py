"""The distillation loss: the student without the document imitates the teacher that reads it."""

from __future__ import annotations

import torch
from torch import Tensor

from torch_train.lora import Adapters


def group_mean(values: Tensor, groups: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean of the values of each group, and which groups have any.

    Args:
        values: (N,).
        groups: Group of each value, 0 .. count-1, (N,).
        count: Number of groups.

    Returns:
        (means (count,), 0 for empty groups; present (count,) bool).
    """
    sums = values.new_zeros(count).index_add(0, groups, values)
    sizes = values.new_zeros(count).index_add(0, groups, torch.ones_like(values))
    return sums / sizes.clamp(min=1), sizes > 0


def distillation_loss(
    logits: Tensor,
    teacher_ids: Tensor,
    teacher_log_probabilities: Tensor,
    answers: Tensor,
    contexts: Tensor,
) -> Tensor:
    """-sum p_teacher log q_student over the teacher's top tokens; mean per answer, per context, over the contexts.

    Args:
        logits: The student's, (N, vocabulary), for the N answer tokens of a batch.
        teacher_ids: The teacher's top tokens, (N, 16).
        teacher_log_probabilities: Their log-probabilities, (N, 16).
        answers: Answer that each token belongs to, (N,).
        contexts: Context that each answer belongs to, (answers,).

    Returns:
        A scalar. Answers without tokens and contexts without answers do not count.

    Source: arXiv 2602.15902, section 3.2, and the averaging of the reference trainer.
    """
    log_q = torch.log_softmax(logits.float(), dim=-1).gather(-1, teacher_ids.long())
    per_token = -(teacher_log_probabilities.float().exp() * log_q).sum(-1)
    per_answer, answered = group_mean(per_token, answers, len(contexts))
    per_context, present = group_mean(per_answer[answered], contexts[answered], int(contexts.max()) + 1)
    return per_context[present].mean()


def magnitude(adapters: Adapters) -> Tensor:
    """Mean |A| plus mean |B| over modules: the L1 term of the reference trainer."""
    terms = [pair[0].abs().mean() + pair[1].abs().mean() for pair in adapters.values()]
    return torch.stack(terms).mean()
