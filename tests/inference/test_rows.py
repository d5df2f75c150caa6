"""One batch over many documents: each row is computed as by itself, wherever mlx-lm moves it."""

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import pytest
from mlx import nn
from mlx_lm.generate import BatchGenerator
from mlx_lm.models.cache import make_prompt_cache

from mlx_hypernet.absorbing import absorb
from mlx_hypernet.adapter import Adapter, AdapterError, Composition, compose
from mlx_hypernet.live import Fitted, attach, batched, detach, fit, put
from mlx_hypernet.rows import RowModel, Rows
from tests import tiny

PROMPTS = [[1, 3, 20 + row, *range(21, 21 + row), 4] for row in range(8)]
STEPS = 12


@pytest.fixture(params=["fp32", "4-bit"])
def base(request, base_folder) -> nn.Module:
    base = tiny.load_base(base_folder)
    if request.param == "4-bit":
        nn.quantize(base, group_size=32, bits=4)
    return base


@pytest.fixture
def adapters(base, bundle) -> list[Adapter | Composition | None]:
    """Of eight rows: seven documents of one to three chunks, and none."""
    documents = [
        absorb(base, bundle, [[1, 3, token + chunk, 4] for chunk in range(1 + token % 3)]) for token in range(30, 37)
    ]
    return [*(Composition([document]) for document in documents), None]


def alone(base: nn.Module, adapter: Adapter | Composition | None, prompt: Sequence[int]) -> list[mx.array]:
    """Log-probabilities at each step of a greedy answer, as mlx-lm's own path computes them."""
    from mlx_lm.generate import generate_step

    detach(base) if adapter is None else attach(base, adapter)
    steps = generate_step(mx.array(prompt), base, max_tokens=STEPS)
    logprobs = [logprobs for _, logprobs in steps]
    detach(base)
    return logprobs


def together(base: nn.Module, rows: Sequence[tuple[int, Fitted | None, Sequence[int]]]) -> list[list[mx.array]]:
    """The same for all rows in one batch; each joins before a step of its own."""
    generator = BatchGenerator(RowModel(base), max_tokens=STEPS)
    found: dict[int, list[mx.array]] = {}
    waiting, ids, step = list(enumerate(rows)), {}, 0
    while waiting or ids:
        for number, (joins, adapter, prompt) in list(waiting):
            if joins <= step:
                caches: list[Any] = [*make_prompt_cache(base), Rows([adapter])]
                (uid,) = generator.insert([list(prompt)], caches=[caches])
                ids[uid] = number
                waiting.remove((number, (joins, adapter, prompt)))
        for part in generator.next()[1]:
            found.setdefault(ids[part.uid], []).append(part.logprobs)
            if part.finish_reason:
                assert part.prompt_cache[-1].adapters == [rows[ids[part.uid]][1]]
                del ids[part.uid]
        step += 1
    return [found[number] for number in range(len(rows))]


@pytest.mark.parametrize("joins", [[0] * 8, [0, 0, 1, 3, 3, 9, 20, 2]], ids=["at once", "one by one"])
def test_each_row_is_computed_as_by_itself(base, adapters, joins):
    expected = [alone(base, adapter, prompt) for adapter, prompt in zip(adapters, PROMPTS, strict=True)]
    fitted = [None if adapter is None else fit(base, adapter) for adapter in adapters]
    found = together(base, list(zip(joins, fitted, PROMPTS, strict=True)))
    for one, other in zip(expected, found, strict=True):
        assert len(one) == len(other) == STEPS
        assert max(mx.abs(a - b).max().item() for a, b in zip(one, other, strict=True)) < 1e-4
    detach(base)
    assert len({tuple(step.argmax().item() for step in steps) for steps in found}) > 1


def test_rows_that_share_an_adapter_copy_nothing(base, adapters):
    one = fit(base, adapters[0])
    assert batched([one, one]) is one
    assert batched([None, None]) is None
    mixed = batched([one, None])
    assert mixed.matrices[0][0][0].shape[0] == 2
    put(base, mixed)
    tokens = mx.array([PROMPTS[0], PROMPTS[0]])
    with_and_without = base(tokens)
    put(base, one)
    assert mx.allclose(base(tokens)[0], with_and_without[0], atol=1e-5)
    detach(base)
    assert mx.allclose(base(tokens)[1], with_and_without[1], atol=1e-5)


def test_rows_without_documents_are_the_base_bit_for_bit(base, adapters):
    tokens = mx.array([PROMPTS[0], PROMPTS[0]])
    expected = base(tokens)
    attach(base, adapters[1])  # left by somebody else
    one = fit(base, adapters[0])
    rows, model = Rows([None, None]), RowModel(base)
    for adapted in (Rows([one, None]), Rows([one, one]), Rows([None, one])):
        assert mx.array_equal(model(tokens, [*make_prompt_cache(base), rows]), expected)
        found = model(tokens, [*make_prompt_cache(base), adapted])
        for row, adapter in enumerate(adapted.adapters):
            assert mx.allclose(found[row], expected[row], atol=1e-6) == (adapter is None)


def test_an_adapter_for_fewer_layers_takes_the_others_off(base, adapters):
    tokens = mx.array([PROMPTS[0]])
    whole = fit(base, adapters[0])
    part = Fitted(whole.paths, {0: whole.matrices[0]}, whole.scale)
    put(base, part)
    expected = base(tokens)
    model = RowModel(base)
    for adapter in (whole, part, whole, part):
        found = model(tokens, [*make_prompt_cache(base), Rows([adapter])])
        assert mx.array_equal(found, expected) == (adapter is part)


def test_adapters_of_two_hypernetworks_do_not_mix(base, bundle):
    chunks = absorb(base, bundle, [[1, 3, 30, 4]])
    one = fit(base, compose([chunks]))
    other = Fitted(one.paths, one.matrices, 2 * one.scale)
    with pytest.raises(AdapterError, match="different hypernetworks"):
        batched([one, other])
    tokens, model = mx.array([PROMPTS[0], PROMPTS[0]]), RowModel(base)
    with pytest.raises(AdapterError, match="different hypernetworks"):
        model(tokens, [*make_prompt_cache(base), Rows([one, other])])
    found = model(tokens, [*make_prompt_cache(base), Rows([other, other])])  # and the model is whole
    put(base, other)
    assert mx.array_equal(found, base(tokens))
