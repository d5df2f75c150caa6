"""Questions of one group share the beginning of their prompts: losses and gradients stay what they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mlx_hypernet.format.config import HypernetConfig
from tests.training import tiny_run
from torch_train.model.base import load_base
from torch_train.model.chunking import Chunking
from torch_train.teacher.teacher_rows import TeacherRow
from torch_train.training.distillation import DistillationModel
from torch_train.training.packing import PackedBatch, Packer

PROMPT = np.array([1, 3, 7], dtype=np.int32)  # of a chat template


def _row(seed: int, shape: list[tuple[int, int]]) -> TeacherRow:
    row = tiny_run.teacher_row(seed, 20 + seed, shape)
    return replace(row, questions=tuple(np.concatenate([PROMPT, question]) for question in row.questions))


def _batch() -> PackedBatch:
    rows = [_row(0, [(7, 4), (2, 1), (9, 3)]), _row(1, [(5, 3)]), _row(2, [(1, 2), (8, 5)])]
    packer = Packer(rows, 10_000, 10_000, Chunking(25, (1, 3), (4,)), seed=2, compose=0.5)
    (batch,) = packer.batches(0)
    return batch


def test_tokens_are_kept_once_for_each_group() -> None:
    batch = _batch()
    groups = len(set(batch.context_groups.tolist()))
    assert 1 < groups < 3  # two contexts are absorbed together
    shared = batch.shared
    assert shared.row.folded
    assert batch.inputs.total - shared.row.total == (batch.inputs.count - groups) * len(PROMPT)
    assert torch.equal(shared.kept[shared.predicts], batch.predicts)
    assert len(shared.groups.tokens.places) == shared.row.total
    ids = batch.input_ids[0]
    padded = zip(shared.row.buckets.pad(ids[shared.kept]), batch.inputs.buckets.pad(ids), strict=True)
    for part, whole in padded:
        places = torch.arange(part.shape[1])
        real = batch.inputs.mask[:, : part.shape[1]] if len(part) == batch.inputs.count else places >= 0
        assert torch.equal(part[real], whole[real])


@pytest.mark.parametrize("config", [tiny_run.SHAPE, tiny_run.AS_SMOL], ids=["reference", "smol"])
def test_losses_and_gradients_are_those_of_whole_prompts(
    tmp_path: Path, words_folder: Path, config: HypernetConfig
) -> None:
    base = load_base(tiny_run.save_base(tmp_path / "base", words_folder, vocabulary=96), "float32", torch.device("cpu"))
    batch = _batch()
    whole = replace(batch, shared=replace(batch.shared, row=replace(batch.shared.row, folded=False)))
    hypernet = tiny_run.hypernet(config=config)
    model = DistillationModel(hypernet, base, base, recompute=False)
    found = []
    for one in (batch, whole):
        losses = model(one)
        gradients = torch.autograd.grad(sum(losses), list(hypernet.parameters()), allow_unused=True)
        found.append((torch.stack(losses), [gradient for gradient in gradients if gradient is not None]))
    (losses, gradients), (expected, same) = found
    torch.testing.assert_close(losses, expected, rtol=1e-6, atol=0)
    for gradient, one in zip(gradients, same, strict=True):
        assert (gradient - one).norm() <= 1e-5 * one.norm()
