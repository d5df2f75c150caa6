"""The distillation loss against a slow, obvious version of itself."""

from __future__ import annotations

import math

import pytest
import torch

from torch_train.model.generation import top_log_probabilities
from torch_train.model.loss import distillation_loss, magnitude


def _slow(logits, ids, log_p, answers, contexts):
    by_context = []
    for context in sorted(set(contexts)):
        by_answer = []
        for answer in (a for a, c in enumerate(contexts) if c == context):
            tokens = []
            for row in range(len(logits)):
                if answers[row] != answer:
                    continue
                total = math.log(sum(math.exp(v) for v in logits[row]))
                log_q = [logits[row][token] - total for token in ids[row]]
                tokens.append(-sum(math.exp(p) * q for p, q in zip(log_p[row], log_q, strict=True)))
            if tokens:
                by_answer.append(sum(tokens) / len(tokens))
        if by_answer:
            by_context.append(sum(by_answer) / len(by_answer))
    return sum(by_context) / len(by_context)


def test_tokens_then_answers_then_contexts() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(9, 40, generator=generator) for _ in range(2))
    ids, log_p = top_log_probabilities(teacher)
    answers = torch.tensor([0, 0, 0, 1, 2, 2, 4, 4, 4])  # answer 3 was dropped: the teacher had it wrong
    contexts = torch.tensor([0, 0, 0, 1, 2])  # so context 1 has nothing left
    loss = distillation_loss(student, ids, log_p, answers, contexts)
    expected = _slow(student.tolist(), ids.tolist(), log_p.tolist(), answers.tolist(), contexts.tolist())
    assert abs(loss.item() - expected) < 1e-5


def test_top_log_probabilities_are_of_the_whole_vocabulary() -> None:
    logits = torch.randn(5, 100, generator=torch.Generator().manual_seed(1))
    ids, log_p = top_log_probabilities(logits)
    assert ids.dtype == torch.int32
    assert log_p.dtype == torch.float16
    assert ids.shape == log_p.shape == (5, 16)
    expected = logits.log_softmax(-1).gather(1, ids.long())
    torch.testing.assert_close(log_p.float(), expected, atol=4e-3, rtol=0)  # fp16
    assert (log_p.float().exp().sum(-1) < 1).all()  # not renormalised


def test_magnitude_is_the_mean_of_both_sides_of_the_padded_adapter() -> None:
    chunks = {"down_proj": (torch.full((3, 2, 3, 4), -2.0), torch.full((3, 2, 3, 5), 0.5))}
    bias = {"down_proj": (torch.full((2, 3, 4), 4.0), torch.zeros(2, 3, 5))}
    # Two chunks and one: three parts of 3 ranks, of which the second group fills two.
    groups = torch.tensor([0, 0, 1])
    first, second = (2 + 2 + 4 + 0.5 + 0.5) / 3, (2 + 4 + 0.5) / 3
    assert magnitude(chunks, bias, groups, torch.tensor([1.0, 1.0])).item() == pytest.approx(first + second)
    assert magnitude(chunks, bias, groups, torch.tensor([1.0, 3.0, 0.0])).item() == pytest.approx(first + 3 * second)
