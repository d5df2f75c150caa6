"""Adapters: composing, and the way to disk and back, ours and mlx-lm's."""

import json

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_hypernet.absorbing import absorb
from mlx_hypernet.adapter import (
    AdapterError,
    ChunkAdapters,
    compose,
    save_adapter,
)
from mlx_hypernet.live import attach
from mlx_hypernet.row_linear import RowLinear
from tests import tiny

QUERY = mx.array([[1, 3, 20, 21, 22, 4]])


def chunks_of(count: int, first: float = 0.0, bias: float = -1.0) -> ChunkAdapters:
    """Chunk i is filled with `first + i`, the bias with `bias`: order can be read off the values."""
    values = mx.arange(count).reshape(-1, 1, 1, 1) + first
    return ChunkAdapters(
        A={"down_proj": mx.broadcast_to(values, (count, 3, 2, 5))},
        B={"down_proj": mx.broadcast_to(values, (count, 3, 2, 7))},
        bias_A={"down_proj": mx.full((3, 2, 5), bias)},
        bias_B={"down_proj": mx.full((3, 2, 7), bias)},
        scale=5.5,
    )


def test_chunks_in_order_then_the_bias_once():
    adapter = compose([chunks_of(2, first=10), chunks_of(1, first=20)])
    assert (adapter.rank, adapter.num_layers, adapter.modules, adapter.scale) == (8, 3, ("down_proj",), 5.5)
    for side in (adapter.A, adapter.B):
        assert side["down_proj"][1, :, 0].tolist() == [10, 10, 11, 11, 20, 20, -1, -1]


def test_rank_is_the_sum_of_deltas(base, bundle):
    """Concatenating on the rank axis adds the chunks' weight changes and the bias pair's."""
    adapters = absorb(base, bundle, [[1, 3, 9, 4], [1, 3, 8, 4]])
    adapter = compose([adapters])
    delta = adapter.B["down_proj"][0].T @ adapter.A["down_proj"][0]
    pairs = [(adapters.A["down_proj"][i, 0], adapters.B["down_proj"][i, 0]) for i in range(2)]
    pairs.append((adapters.bias_A["down_proj"][0], adapters.bias_B["down_proj"][0]))
    np.testing.assert_allclose(np.array(delta), np.array(sum(b.T @ a for a, b in pairs)), atol=1e-5)


def test_what_does_not_belong_together_is_not_composed():
    with pytest.raises(AdapterError, match="different hypernetworks"):
        compose([chunks_of(1), chunks_of(1, bias=-2.0)])
    with pytest.raises(AdapterError, match="no document"):
        compose([])


def _same(ours, theirs):
    """Adapters equal bit for bit, logits up to rounding: some BLAS multiply our transposed views in another order."""
    loaded = dict(tree_flatten(theirs.parameters()))
    attached = {path: module for path, module in ours.named_modules() if isinstance(module, RowLinear)}
    assert attached
    for path, module in attached.items():
        ((a, b),) = module.pairs
        assert mx.array_equal(a, loaded[f"{path}.lora_a"]), path
        assert mx.array_equal(b, loaded[f"{path}.lora_b"]), path
    np.testing.assert_allclose(np.array(ours(QUERY)), np.array(theirs(QUERY)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("hypernet", ["plain", "three modules", "last two layers", "middle layer"])
def test_mlx_lm_loads_it_unchanged(tmp_path, base_folder, hypernet):
    from mlx_lm.tuner.utils import load_adapters

    base, bundle = tiny.load_base(base_folder), tiny.make_bundle(tiny.VARIANTS[hypernet])
    adapter = compose([absorb(base, bundle, [[1, 3, 9, 4], [1, 3, 8, 7, 4]])])
    save_adapter(tmp_path, adapter, base, {"document": "abc"})
    assert json.loads((tmp_path / "adapter_config.json").read_text())["thoth"] == {"document": "abc"}
    attach(base, adapter)
    theirs = load_adapters(tiny.load_base(base_folder), str(tmp_path))
    _same(base, theirs)

    # mlx-lm wraps the last layers of a base: those after the adapted ones are zero.
    after = range(adapter.first_layer + adapter.num_layers, tiny.BASE["num_hidden_layers"])
    saved = mx.load(str(tmp_path / "adapters.safetensors"))
    rest = [tensor for name, tensor in saved.items() if any(f"layers.{layer}." in name for layer in after)]
    assert len(rest) == 2 * len(after) * len(adapter.modules)
    assert not any(tensor.any().item() for tensor in rest)


def test_mlx_lm_load_gives_the_same_logits(tmp_path, tiny_pair):
    """The whole way of `mlx_lm.generate --adapter-path`, and a chunked document."""
    import mlx_lm

    from mlx_hypernet.bundle import load_bundle
    from mlx_hypernet.format.chunking import split
    from mlx_hypernet.format.template import document_ids

    base, tokenizer = mlx_lm.load(str(tiny_pair / "base"))
    bundle = load_bundle(tiny_pair / "hypernet")
    config = bundle.config
    ids = document_ids(tokenizer, "The founder of the company is the owner of the house. " * 9)
    chunks = split(ids, config.max_chunk_tokens, config.prefix_ids, config.suffix_ids)
    assert len(chunks) > 1
    adapter = compose([absorb(base, bundle, chunks)])
    assert adapter.rank == config.hypernet.rank * (len(chunks) + 1)
    save_adapter(tmp_path / "adapter", adapter, base, {})
    plain = base(QUERY)
    attach(base, adapter)
    theirs, _ = mlx_lm.load(str(tiny_pair / "base"), adapter_path=str(tmp_path / "adapter"))
    _same(base, theirs)
    assert not mx.array_equal(base(QUERY), plain)


def test_names_follow_a_wrapped_base(tmp_path, base, bundle):
    """On multimodal wrappers the text model sits deeper: `language_model.model.layers`."""
    from mlx_lm.models.mistral3 import Model, ModelArgs

    wrapped = Model(ModelArgs(model_type="mistral3", text_config=tiny.BASE))
    wrapped.language_model = base
    chunks = [[1, 3, 9, 4]]
    adapter = compose([absorb(wrapped, bundle, chunks)])
    assert mx.array_equal(adapter.A["down_proj"], compose([absorb(base, bundle, chunks)]).A["down_proj"])
    save_adapter(tmp_path, adapter, wrapped, {})
    names = mx.load(str(tmp_path / "adapters.safetensors")).keys()
    assert all(name.startswith("language_model.model.layers.") for name in names)
    attach(wrapped, adapter)
    assert mx.array_equal(wrapped(QUERY), base(QUERY))
