"""Samples are padded among those of similar length, where that saves more than another bucket costs."""

from __future__ import annotations

import numpy as np
import torch

from torch_train.model.buckets import Buckets, Cost, similar

LENGTHS = np.array([3, 9, 2, 0, 8, 3])


def _members(lengths: np.ndarray, bucket: float) -> list[list[int]]:
    return [some.tolist() for some in similar(lengths, Cost(linear=1, square=0, bucket=bucket))]


def test_a_bucket_more_must_pay() -> None:
    assert _members(LENGTHS, 100) == [[0, 1, 2, 3, 4, 5]]
    assert _members(LENGTHS, 5) == [[0, 2, 3, 5], [1, 4]]  # 12 + 18 tokens for 54
    assert _members(LENGTHS, 0) == [[2, 3], [0, 5], [4], [1]]  # nothing is never alone: it is with the shortest
    assert _members(np.zeros(2, dtype=int), 5) == [[0, 1]]


def test_buckets_cost_least_of_all_cuts() -> None:
    lengths, cost = np.array([1, 2, 2, 5, 6, 11]), Cost(linear=2, square=1, bucket=40)

    def price(parts: list[np.ndarray]) -> float:
        return sum(len(part) * part.max() * (2 + part.max()) + 40 for part in parts)

    cuts = [[at for at in range(1, 6) if bits >> at & 1] for bits in range(0, 64, 2)]
    assert price([lengths[some] for some in similar(lengths, cost)]) == min(
        price(np.split(lengths, some)) for some in cuts
    )


def test_tokens_come_back_with_their_gradients() -> None:
    buckets = Buckets.of(LENGTHS, similar(LENGTHS, Cost(linear=1, square=0, bucket=5)))
    x = torch.randn(LENGTHS.sum(), 2, dtype=torch.float64, requires_grad=True)
    padded = buckets.pad(x)
    assert [part.shape for part in padded] == [(4, 3, 2), (2, 9, 2)]
    starts = LENGTHS.cumsum() - LENGTHS
    for part, members in zip(padded, ([0, 2, 3, 5], [1, 4]), strict=True):
        for row, member in zip(part, members, strict=True):
            length = LENGTHS[member]
            assert torch.equal(row[:length], x[starts[member] :][:length])
    assert torch.equal(buckets.unpad(padded), x)
    assert torch.autograd.gradcheck(lambda x: buckets.unpad([part**2 for part in buckets.pad(x)]), x)
