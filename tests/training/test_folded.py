"""Prompts that begin alike: their beginning is read once, and every token finds what it would have read."""

from __future__ import annotations

import torch

from torch_train.model.attention import RowAttention
from torch_train.model.folded import Folded

SEQUENCES = [[1, 2, *range(start, start + length)] for start, length in ((10, 8), (30, 6), (50, 9))]


def test_what_all_begin_with_is_kept_once() -> None:
    ends = [9, 8, 10]  # what follows is read by nobody
    folded = Folded.of(SEQUENCES, ends)
    whole = torch.tensor([token for sequence in SEQUENCES for token in sequence])
    ids = whole[folded.kept]
    assert ids.tolist() == [1, 2, *range(10, 17), *range(30, 36), *range(50, 58)]
    padded = folded.row.buckets.pad(ids)
    for row, sequence, end in zip(padded[0], SEQUENCES, ends, strict=True):
        assert row[:end].tolist() == sequence[:end]
    assert torch.equal(folded.row.buckets.unpad(padded), ids)
    assert folded.row.positions.tolist() == [*range(9), *range(2, 8), *range(2, 10)]
    starts = [0, 10, 18]
    for start, sequence, end in zip(starts, SEQUENCES, ends, strict=True):
        assert ids[folded.spread[start : start + end]].tolist() == sequence[:end]


def test_attention_over_a_folded_row_pads_it() -> None:
    assert RowAttention(Folded.of(SEQUENCES).row, flash=True).pads


def test_nothing_is_folded_where_nothing_is_shared_or_padding_costs_more() -> None:
    long = [[1, *range(20)], [1, 2], [1, 3]]
    for sequences in ([[1, 2, 3]], [[1, 2], [3, 4]], long):
        folded = Folded.of(sequences)
        assert not folded.row.folded
        assert folded.kept.tolist() == folded.spread.tolist() == list(range(sum(map(len, sequences))))
