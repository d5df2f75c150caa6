"""The losses: the student without the document imitates the teacher that reads it, and adapters stay small."""

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


def cross_entropies(logits: Tensor, targets: Tensor) -> Tensor:
    """-log q_student of the answers' own tokens: logits (N, vocabulary), targets (N,) -> (N,)."""
    logits = logits.float()
    return logits.logsumexp(-1) - logits.gather(-1, targets[:, None])[:, 0]


def answer_losses(per_token: Tensor, answers: Tensor, count: int) -> Tensor:
    """Mean over the tokens of each answer: every question weighs the same, whatever context it belongs to.

    Args:
        per_token: Losses of the answers' tokens, (N,).
        answers: Answer that each token belongs to, (N,).
        count: Number of answers.

    Returns:
        One loss for each answer that has tokens.
    """
    per_answer, answered = group_mean(per_token, answers, count)
    return per_answer[answered]


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


def magnitude(chunks: Adapters, bias: Adapters, groups: Tensor, weights: Tensor) -> Tensor:
    """Mean |A| plus mean |B| of each group's combined adapter, averaged over modules and summed over groups.

    The combined adapter holds the group's chunks, the bias pair, and zeros up to the rank of the largest group: so does
    the tensor whose mean the reference takes (`combine_lora` and `compute_loss` of SakanaAI/doc-to-lora at baa85db).

    Args:
        chunks: Module -> (A (S, L, r, d_in), B (S, L, r, d_out)), of every chunk.
        bias: Module -> (A (L, r, d_in), B (L, r, d_out)).
        groups: Group of each chunk, (S,).
        weights: How often each group counts, 0 for numbers that no group has, (groups,).
    """
    sizes = weights.new_zeros(len(weights)).index_add(0, groups, torch.ones_like(groups, dtype=weights.dtype))
    padded = sizes.max() + 1  # chunks and the bias pair

    def side(generated: Tensor, learned: Tensor) -> Tensor:
        total = (weights[groups] * generated.float().abs().sum((1, 2, 3))).sum()
        total = total + weights.sum() * learned.float().abs().sum()
        return total / (padded * learned.numel())

    terms = [side(a, bias[name][0]) + side(b, bias[name][1]) for name, (a, b) in chunks.items()]
    return torch.stack(terms).mean()
