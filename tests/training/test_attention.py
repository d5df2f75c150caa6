"""Attention by products is the fused kernel's attention; on CPUs short samples in bf16 take it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from tests.training import tiny_run
from torch_train.model import attention
from torch_train.model.attention import attention_by_products, by_products
from torch_train.model.base import load_base
from torch_train.model.chunking import Chunking
from torch_train.model.encoder import packed_features

CPU = torch.device("cpu")
SCALE = 0.3


def _parts(heads: int, queries: int, keys: int) -> tuple[torch.Tensor, ...]:
    made = torch.Generator().manual_seed(7)
    shapes = ((2, heads, queries, 4), (2, 2, keys, 4), (2, 2, keys, 4))
    return tuple(torch.randn(shape, generator=made, dtype=torch.float64, requires_grad=True) for shape in shapes)


@pytest.mark.parametrize("heads", [2, 6])
@pytest.mark.parametrize("mask", ["none", "causal", "padded"])
def test_products_are_the_fused_kernel(heads: int, mask: str) -> None:
    q, k, v = _parts(heads, 5, 5)
    seen: torch.Tensor | None = None
    if mask == "causal":
        seen = torch.ones(5, 5, dtype=torch.bool).tril()
    elif mask == "padded":
        seen = torch.tensor([[0.0] * 5, [0.0] * 3 + [float("-inf")] * 2], dtype=torch.float64)[:, None, None, None]
    found = attention_by_products(q, k, v, seen, SCALE)
    bare = seen[:, 0] if mask == "padded" and seen is not None else seen
    wanted = scaled_dot_product_attention(q, k, v, attn_mask=bare, scale=SCALE, enable_gqa=True)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)  # weights are taken in fp32
    gradients, others = (torch.autograd.grad(x.square().sum(), (q, k, v)) for x in (found, wanted))
    for one, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_a_cap_bounds_the_scores() -> None:
    q, k, v = _parts(2, 1, 3)
    scores = 2 * torch.tanh(q @ k.mT * SCALE / 2)
    found = attention_by_products(q, k, v, None, SCALE, cap=2.0)
    torch.testing.assert_close(found, scores.softmax(-1) @ v, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "length", "quick"),
    [(torch.bfloat16, 256, True), (torch.bfloat16, 257, False), (torch.float32, 8, False)],
)
def test_short_samples_in_bf16_take_products(dtype: torch.dtype, length: int, quick: bool) -> None:
    x = torch.empty(1, 1, length, 2, dtype=dtype)
    assert by_products(x, x) is quick


@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma2"])
def test_a_base_in_bf16_reads_the_same(
    kind: str, tmp_path: Path, words_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = load_base(tiny_run.save_base(tmp_path, words_folder, kind, vocabulary=96), "bfloat16", CPU)
    rows = [tiny_run.teacher_row(0, 9, [(3, 2)]), tiny_run.teacher_row(1, 23, [(5, 3)])]
    batch = tiny_run.packed(rows, Chunking(40, (1, 3), (4,)))

    def read() -> torch.Tensor:
        layers = range(len(base.layers))
        with torch.no_grad():
            return torch.stack(list(packed_features(base, batch.context_ids[0], batch.chunks, layers, True, ())))

    products = read()
    monkeypatch.setattr(attention, "_SHORT", 0)
    fused = read()
    assert (products - fused).norm() < 0.02 * fused.norm()
    assert not torch.equal(products, fused) or kind == "gemma2"  # with a cap there is no fused kernel
