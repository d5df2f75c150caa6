"""Attach, swap and detach: the base comes back bit for bit."""

import mlx.core as mx
import pytest
from mlx import nn

from mlx_hypernet.absorbing import absorb
from mlx_hypernet.adapter import Adapter, AdapterError, Composition, compose
from mlx_hypernet.base import UnsupportedBaseError
from mlx_hypernet.live import attach, bare, detach
from tests import tiny

QUERY = mx.array([[1, 3, 20, 21, 22, 4]])


@pytest.fixture(params=["fp32", "4-bit"])
def any_base(request, base_folder):
    """The base as it is, and quantised."""
    base = tiny.load_base(base_folder)
    if request.param == "4-bit":
        nn.quantize(base, group_size=32, bits=4)
    return base


@pytest.fixture
def adapters(any_base, bundle):
    """The adapters of two documents."""
    return [compose([absorb(any_base, bundle, [[1, 3, token, 4]])]) for token in (30, 60)]


def test_detached_base_is_bit_identical(any_base, adapters):
    before = any_base(QUERY)
    names = [name for name, _ in any_base.named_modules()]
    attach(any_base, adapters[0])
    assert mx.abs(any_base(QUERY) - before).max() > 0.01
    detach(any_base)
    assert mx.array_equal(any_base(QUERY), before)
    assert [name for name, _ in any_base.named_modules()] == names
    detach(any_base)
    assert mx.array_equal(any_base(QUERY), before)


def test_swap_replaces(any_base, adapters):
    before = any_base(QUERY)
    attach(any_base, adapters[1])
    expected = any_base(QUERY)
    attach(any_base, adapters[0])
    assert not mx.array_equal(any_base(QUERY), expected)
    attach(any_base, adapters[1])
    assert mx.array_equal(any_base(QUERY), expected)
    detach(any_base)
    assert mx.array_equal(any_base(QUERY), before)


def test_rank_may_change_on_a_swap(any_base, bundle, adapters):
    both = compose([absorb(any_base, bundle, [[1, 3, token, 4]]) for token in (30, 60)])
    attach(any_base, adapters[0])
    attach(any_base, both)
    assert any_base(QUERY).shape == (1, 6, 96)
    assert both.rank == 12


def test_several_modules(base_folder):
    base, bundle = tiny.load_base(base_folder), tiny.make_bundle(tiny.VARIANTS["three modules"])
    before = base(QUERY)
    attach(base, compose([absorb(base, bundle, [[1, 3, 30, 4]])]))
    assert not mx.array_equal(base(QUERY), before)
    detach(base)
    assert mx.array_equal(base(QUERY), before)


def test_delta_of_a_bf16_base_is_computed_in_fp32(base_folder, bundle):
    base = tiny.load_base(base_folder)
    base.set_dtype(mx.bfloat16)
    attach(base, compose([absorb(base, bundle, [[1, 3, 30, 4]])]))
    ((a, b),) = base.model.layers[0].mlp.down_proj.pairs
    assert (a.dtype, b.dtype) == (mx.float32, mx.float32)
    assert base(QUERY).dtype == mx.bfloat16


def test_bare_takes_the_adapter_off_for_a_while(any_base, adapters):
    before = any_base(QUERY)
    attach(any_base, adapters[0])
    attached = any_base(QUERY)
    with bare(any_base):
        assert mx.array_equal(any_base(QUERY), before)
    assert mx.array_equal(any_base(QUERY), attached)


def test_wrong_adapter_changes_nothing(any_base, adapters):
    attach(any_base, adapters[0])
    before = any_base(QUERY)
    good = adapters[1]
    shallow = Adapter({"down_proj": good.A["down_proj"][:2]}, {"down_proj": good.B["down_proj"][:2]}, 1.0)
    wide = Adapter({"down_proj": mx.zeros((3, 4, 97))}, good.B, 1.0)
    norm = Adapter({"input_layernorm": mx.zeros((3, 4, 64))}, {"input_layernorm": mx.zeros((3, 4, 64))}, 1.0)
    for wrong, message in ((shallow, "2 layers"), (wide, "97"), (norm, "only linear")):
        with pytest.raises((AdapterError, UnsupportedBaseError), match=message):
            attach(any_base, wrong)
    assert mx.array_equal(any_base(QUERY), before)


def test_composed_layer_by_layer_is_the_same(any_base, bundle):
    documents = [absorb(any_base, bundle, chunks) for chunks in ([[1, 3, 30, 4], [1, 3, 9, 8, 4]], [[1, 3, 60, 4]])]
    attach(any_base, compose(documents))
    expected = any_base(QUERY)
    detach(any_base)
    composition = Composition(documents)
    assert (composition.rank, composition.num_layers, composition.modules) == (16, 3, ("down_proj",))
    attach(any_base, composition)
    assert mx.array_equal(any_base(QUERY), expected)
    with pytest.raises(AdapterError, match="no document"):
        Composition([])


def test_a_swap_takes_off_what_the_new_adapter_does_not_have(base_folder, bundle):
    base = tiny.load_base(base_folder)
    adapter = compose([absorb(base, bundle, [[1, 3, 30, 4]])])
    attach(base, adapter)
    expected = base(QUERY)
    three = tiny.make_bundle(tiny.VARIANTS["three modules"])
    attach(base, compose([absorb(base, three, [[1, 3, 60, 4]])]))
    attach(base, adapter)
    assert mx.array_equal(base(QUERY), expected)
