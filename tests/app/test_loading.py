"""Loading a pair: how a quantised base is held on a CPU."""

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn
from mlx_lm.utils import load_model

from convert.base.model import convert_base
from convert.base.options import BaseOptions
from thoth import nano
from thoth.engine.loading import load_pair
from thoth.models.registry import Pair
from thoth.system import machine

on_a_cpu = pytest.mark.skipif(mx.default_device() != mx.Device(mx.cpu), reason="GPUs multiply quantised weights fast")


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Nano with a base of 4 bits."""
    base = tmp_path_factory.mktemp("quantised") / "base"
    convert_base(nano.folder() / "base", base, BaseOptions(dtype="bfloat16", q_bits=4, down_proj_bits=8))
    return Pair("quantised", base, nano.folder() / "hypernet")


def logits(model: nn.Module) -> np.ndarray:
    return np.array(model(mx.array([list(range(5, 60))])))


@on_a_cpu
def test_a_quantised_base_becomes_fp32_and_computes_the_same(quantised: Pair) -> None:
    model = load_pair(quantised).model
    assert not any(isinstance(module, nn.QuantizedLinear | nn.QuantizedEmbedding) for module in model.modules())
    assert model.model.layers[0].mlp.down_proj.weight.dtype == mx.float32
    as_stored = load_model(quantised.base)[0]
    as_stored.set_dtype(mx.float32)
    assert isinstance(as_stored.model.layers[0].mlp.down_proj, nn.QuantizedLinear)
    np.testing.assert_allclose(logits(model), logits(as_stored), atol=1e-3, rtol=0)


@on_a_cpu
def test_it_stays_quantised_where_memory_is_short(quantised: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda: 1 << 20)
    model = load_pair(quantised).model
    assert isinstance(model.model.layers[0].mlp.down_proj, nn.QuantizedLinear)
