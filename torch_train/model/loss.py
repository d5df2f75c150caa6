"""The distillation loss: the student without the document imitates the teacher that reads it."""

from __future__ import annotations

import torch
from torch import Tensor

from torch_train.model.lora import Adapters


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


def token_losses(logits: Tensor, teacher_ids: Tensor, teacher_log_probabilities: Tensor) -> Tensor:
    """-sum p_teacher log q_student over the teacher's top tokens; q over the whole vocabulary.

    Args:
        logits: The student's, (N, vocabulary).
        teacher_ids: The teacher's top tokens, (N, 16).
        teacher_log_probabilities: Their log-probabilities, (N, 16), not renormalised.

    Returns:
        (N,).

    Source: arXiv 2602.15902, section 3.2.
    """
    logits = logits.float()
    log_q = logits.gather(-1, teacher_ids.long()) - logits.logsumexp(-1, keepdim=True)
    return -(teacher_log_probabilities.float().exp() * log_q).sum(-1)


def context_losses(per_token: Tensor, answers: Tensor, contexts: Tensor) -> Tensor:
    """Mean per answer, then mean per context: the averaging of the reference trainer.

    Args:
        per_token: Losses of the answers' tokens, (N,).
        answers: Answer that each token belongs to, (N,).
        contexts: Context that each answer belongs to, (answers,).

    Returns:
        One loss for each context that has answers. Answers without tokens do not count.
    """
    per_answer, answered = group_mean(per_token, answers, len(contexts))
    per_context, present = group_mean(per_answer[answered], contexts[answered], int(contexts.max()) + 1)
    return per_context[present]


def first_tokens(answers: Tensor) -> Tensor:
    """Which of the answers' tokens come first in theirs: answer of each token (N,), in order -> bool (N,)."""
    return answers.diff(prepend=answers.new_full((1,), -1)) != 0


def distillation_loss(
    logits: Tensor,
    teacher_ids: Tensor,
    teacher_log_probabilities: Tensor,
    answers: Tensor,
    contexts: Tensor,
) -> Tensor:
    """Mean over the contexts of one batch: `token_losses`, averaged as `context_losses` does; a scalar."""
    per_token = token_losses(logits, teacher_ids, teacher_log_probabilities)
    return context_losses(per_token, answers, contexts).mean()


def magnitude(adapters: Adapters) -> Tensor:
    """Mean |A| plus mean |B| over modules: the L1 term of the reference trainer."""
    terms = [pair[0].abs().mean() + pair[1].abs().mean() for pair in adapters.values()]
    return torch.stack(terms).mean()
