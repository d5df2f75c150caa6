"""`run.compile`: a compiled hypernetwork has the losses and gradients of the plain one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from tests.training import tiny_run
from torch_train.model.base import load_base
from torch_train.model.chunking import Chunking
from torch_train.training.distillation import DistillationModel


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_a_compiled_hypernetwork_computes_the_same(tmp_path: Path, words_folder: Path, backend: str) -> None:
    if backend == "inductor" and not shutil.which("g++"):
        pytest.skip("inductor needs a compiler")
    base = load_base(tiny_run.save_base(tmp_path / "base", words_folder, vocabulary=96), "float32", torch.device("cpu"))
    batches = [
        tiny_run.packed([tiny_run.teacher_row(seed, 20 + seed, [(7, 4), (9, 3)])], Chunking(25, (1, 3), (4,)))
        for seed in range(2)
    ]  # of different lengths
    found = []
    for compiled in (False, True):
        hypernet = tiny_run.hypernet()
        names = [name for name, _ in hypernet.named_parameters()]
        if compiled:
            hypernet.compile_parts(backend)
        model = DistillationModel(hypernet, base, base, recompute=False)
        losses = torch.stack([model(batch).distillation for batch in batches])
        losses.sum().backward()
        model._injected.remove()
        assert [name for name, _ in hypernet.named_parameters()] == names  # checkpoints stay what they are
        found.append((losses.detach(), [parameter.grad for parameter in hypernet.parameters()]))
    (plain, gradients), (fused, same) = found
    torch.testing.assert_close(fused, plain, rtol=1e-5, atol=1e-6)
    for one, other in zip(gradients, same, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-5)
