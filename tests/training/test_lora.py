"""Adapters in a transformers model: per sample, composed on the rank axis, against merged weights."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import Ministral3ForCausalLM

from torch_train.model.lora import Adapters, Groups, Injected, PackedPair, compose
from torch_train.model.ragged import Ragged

SCALE, RANK, LAYERS, D_IN, D_OUT = 3.5, 4, 3, 48, 32


def _pairs(samples: int, seed: int = 0) -> Adapters:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return 0.1 * torch.randn(*shape, generator=generator)

    return {"down_proj": (draw(samples, LAYERS, RANK, D_IN), draw(samples, LAYERS, RANK, D_OUT))}


def _merged(model: Ministral3ForCausalLM, a: torch.Tensor, b: torch.Tensor) -> Ministral3ForCausalLM:
    """The slow, obvious way: a copy of the model with scale * Bᵀ A added to its weights; a (L, r, d_in)."""
    merged = copy.deepcopy(model)
    for layer, block in enumerate(merged.model.layers):
        block.mlp.down_proj.weight += SCALE * b[layer].T @ a[layer]
    return merged


def test_each_sample_runs_with_its_own_adapter(model: Ministral3ForCausalLM) -> None:
    ids = torch.randint(0, 2048, (3, 11), generator=torch.Generator().manual_seed(1))
    pairs = _pairs(3)
    a, b = pairs["down_proj"]
    expected = torch.cat([_merged(model, a[i], b[i])(ids[i : i + 1]).logits for i in range(3)])
    plain = model(ids).logits
    injected = Injected(model.model.layers, ("down_proj",), SCALE)
    with injected.adapted(pairs):
        torch.testing.assert_close(model(ids).logits, expected, atol=1e-4, rtol=0)
    assert torch.equal(model(ids).logits, plain)  # and nothing stays behind


def test_compose_adds_up_chunks_and_appends_the_bias_once() -> None:
    chunks, bias = _pairs(4), {"down_proj": tuple(x[0] for x in _pairs(1, seed=9)["down_proj"])}
    a, b = compose(chunks, bias, Ragged.of([2, 2]))["down_proj"]
    assert a.shape == (2, LAYERS, 3 * RANK, D_IN)
    first_a, first_b = chunks["down_proj"]
    for sample in range(2):
        deltas = [first_b[i].mT @ first_a[i] for i in (2 * sample, 2 * sample + 1)]
        deltas.append(bias["down_proj"][1].mT @ bias["down_proj"][0])
        torch.testing.assert_close(b[sample].mT @ a[sample], sum(deltas))


def test_tokens_of_a_packed_row_see_the_chunks_of_their_group_and_the_bias() -> None:
    chunks, bias = _pairs(4), {"down_proj": tuple(x[0] for x in _pairs(1, seed=9)["down_proj"])}
    (a, b), (bias_a, bias_b) = (tuple(x[..., 0, :, :] for x in pairs["down_proj"]) for pairs in (chunks, bias))
    tokens, numbers = [0, 0, 2, 2, 2, 2], [0, 1, 2, 2]  # nobody asks about group 1
    x = torch.randn(6, D_IN, generator=torch.Generator().manual_seed(2))
    groups = Groups.of([1, 1, 2], [2, 0, 4], [1, 0, 2])
    buckets = [bucket["down_proj"] for bucket in groups.compose(chunks)]
    assert [a.shape[2] for a, _ in buckets] == [RANK, 2 * RANK]  # no rank is filled up to the largest group's
    pairs = [(a[:, 0], b[:, 0]) for a, b in buckets]
    delta = PackedPair(pairs, (bias_a, bias_b), groups.tokens).delta(x, SCALE)
    for token, group in enumerate(tokens):
        weight = bias_b.T @ bias_a + sum(b[i].T @ a[i] for i, of in enumerate(numbers) if of == group)
        torch.testing.assert_close(delta[token], SCALE * weight @ x[token])
    predicts = [1, 3, 5]
    torch.testing.assert_close(
        PackedPair(pairs, (bias_a, bias_b), groups.predicts).delta(x[predicts], SCALE), delta[predicts]
    )


def test_remove_puts_the_model_back(model: Ministral3ForCausalLM) -> None:
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    Injected(model.model.layers, ("down_proj", "q_proj"), SCALE).remove()
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_missing_module_is_named(model: Ministral3ForCausalLM) -> None:
    with pytest.raises(ValueError, match="0 of 3 blocks have a linear module called out_proj"):
        Injected(model.model.layers, ("out_proj",), SCALE)
