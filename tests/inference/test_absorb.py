"""Absorbing: neither batches nor an active adapter matter, it can be stopped, memory stays flat."""

import mlx.core as mx
import numpy as np
import pytest

from mlx_hypernet.absorbing import Stopped, absorb, absorb_batch, read
from mlx_hypernet.adapter import compose
from mlx_hypernet.encoder import layer_features
from mlx_hypernet.live import attach
from tests import tiny

CHUNKS = [[1, 3, 9, 8, 7, 4], [1, 3, 6, 4], [1, 3, 30, 31, 32, 33, 34, 4]]


@pytest.mark.parametrize("hypernet", tiny.VARIANTS.values(), ids=tiny.VARIANTS)
def test_batches_do_not_matter(base, hypernet):
    bundle = tiny.make_bundle(hypernet)
    together, alone = (absorb(base, bundle, CHUNKS, batch_size=size) for size in (3, 1))
    for name, (d_in, d_out) in hypernet.modules.items():
        assert together.A[name].shape == (3, hypernet.num_layers, hypernet.rank, d_in)
        assert together.B[name].shape == (3, hypernet.num_layers, hypernet.rank, d_out)
        np.testing.assert_allclose(np.array(together.A[name]), np.array(alone.A[name]), atol=1e-5)
        np.testing.assert_allclose(np.array(together.B[name]), np.array(alone.B[name]), atol=1e-5)


def test_documents_are_read_by_the_base_alone(base, bundle):
    first = absorb(base, bundle, CHUNKS)
    attach(base, compose([first]))
    logits = base(mx.array([CHUNKS[0]]))
    again = absorb(base, bundle, CHUNKS)
    assert mx.array_equal(first.A["down_proj"], again.A["down_proj"])
    assert mx.array_equal(base(mx.array([CHUNKS[0]])), logits)


def test_features_are_means_over_the_chunks_own_tokens(base, bundle):
    """Neither the template's tokens (1, 3 and 4) nor padding count."""
    features = absorb_batch(base, bundle, CHUNKS).features
    assert (features.shape, features.dtype) == ((3, 64), np.float32)
    for chunk, pooled in zip(CHUNKS, features, strict=True):
        *_, (layer, last) = layer_features(base, mx.array([chunk]))
        assert layer == 2
        np.testing.assert_allclose(pooled, np.array(last[0, 2:-1].mean(0)), atol=1e-5)


def test_a_question_has_the_features_of_a_chunk(base, bundle):
    absorbed = absorb_batch(base, bundle, CHUNKS[:1])
    attach(base, compose([absorbed.adapters]))
    features = read(base, bundle, CHUNKS[0]).features
    np.testing.assert_allclose(features, absorbed.features[0], atol=1e-6)
    assert np.isfinite(read(base, bundle, [1, 3, 4]).features).all()  # an empty one has the template's


def test_progress(base, bundle):
    seen = []
    absorb(base, bundle, CHUNKS, batch_size=2, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 3), (3, 3)]


def test_stop_leaves_the_model_as_it_was(base, bundle):
    attach(base, compose([absorb(base, bundle, CHUNKS)]))
    before = base(mx.array([CHUNKS[0]]))
    asked = iter([False, False, False, False, True])
    with pytest.raises(Stopped):
        absorb(base, bundle, CHUNKS, batch_size=1, should_stop=lambda: next(asked))
    assert mx.array_equal(base(mx.array([CHUNKS[0]])), before)


def test_no_chunks_is_an_error(base, bundle):
    with pytest.raises(ValueError, match="at least one"):
        absorb(base, bundle, [])


def test_adapters_come_in_the_dtype_of_the_base(base, bundle):
    base.set_dtype(mx.bfloat16)
    adapters = absorb(base, bundle, CHUNKS[:1])
    for side in (adapters.A, adapters.B, adapters.bias_A, adapters.bias_B):
        assert side["down_proj"].dtype == mx.bfloat16


def test_last_block_never_runs(base):
    ids = mx.array([CHUNKS[0]])
    before = [features for _, features in layer_features(base, ids)]
    base.model.layers[-1].mlp.down_proj.weight = mx.full((64, 96), float("nan"))
    for one, other in zip(before, [features for _, features in layer_features(base, ids)], strict=True):
        assert mx.array_equal(one, other)


def test_memory_does_not_grow_with_layers():
    """Features of a deep base are handed over one layer at a time: the peak is that of a shallow one."""
    from mlx_lm.models.ministral3 import Model, ModelArgs

    def peak(layers: int) -> int:
        config = tiny.BASE | {"num_hidden_layers": layers}
        base = Model(ModelArgs.from_dict(config))
        mx.eval(base.parameters())
        ids = mx.zeros((4, 256), mx.int32)
        held = mx.get_active_memory()
        mx.reset_peak_memory()
        for _, features in layer_features(base, ids):
            del features
        return mx.get_peak_memory() - held

    shallow, deep = peak(3), peak(24)
    assert deep < 1.3 * shallow
