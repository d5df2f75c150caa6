"""The losses: the student without the document imitates the teacher that reads it, and adapters stay small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from torch_train.model.lora import Adapters


def group_mean(values: Tensor, weights: Tensor, groups: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Weighted mean of the values of each group, and which groups have any.

    Args:
        values: (N,).
        weights: Of each value, (N,); 0 leaves it out.
        groups: Group of each value, 0 .. count-1, (N,).
        count: Number of groups.

    Returns:
        (means (count,), 0 for empty groups; present (count,), 1 or 0).
    """
    sums = values.new_zeros(count).index_add(0, groups, values * weights)
    sizes = values.new_zeros(count).index_add(0, groups, weights)
    present = (sizes > 0).to(values.dtype)
    return sums / torch.where(sizes > 0, sizes, 1.0), present


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
    log_q = logits.float().log_softmax(-1).gather(-1, teacher_ids.long())  # half the passes of a difference
    return -(teacher_log_probabilities.float().exp() * log_q).sum(-1)


def cross_entropies(logits: Tensor, targets: Tensor) -> Tensor:
    """-log q_student of the answers' own tokens: logits (N, vocabulary), targets (N,) -> (N,)."""
    return functional.cross_entropy(logits.float(), targets, reduction="none")


def answer_losses(
    per_token: Tensor, answers: Tensor, count: int, weights: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mean over the tokens of each answer: every question weighs the same, whatever context it belongs to.

    Args:
        per_token: Losses of the answers' tokens, (N,).
        answers: Answer that each token belongs to, (N,).
        count: Number of answers.
        weights: Of each token within its answer, (N,); None for all alike.

    Returns:
        (losses (count,), 0 for answers without tokens; present (count,), 1 or 0).
    """
    return group_mean(per_token, torch.ones_like(per_token) if weights is None else weights, answers, count)


def context_losses(
    per_token: Tensor, answers: Tensor, contexts: Tensor, count: int, weights: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mean per answer, then mean per context: the averaging of the reference trainer.

    Args:
        per_token: Losses of the answers' tokens, (N,).
        answers: Answer that each token belongs to, (N,).
        contexts: Context that each answer belongs to, (answers,).
        count: Number of contexts.
        weights: Of each token within its answer, (N,); None for all alike.

    Returns:
        (losses (count,), 0 for contexts without answers; present (count,), 1 or 0). Empty answers do not count.
    """
    per_answer, answered = answer_losses(per_token, answers, len(contexts), weights)
    return group_mean(per_answer, answered, contexts, count)


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
    losses, present = context_losses(per_token, answers, contexts, int(contexts.max()) + 1)
    return losses.sum() / present.sum()


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
