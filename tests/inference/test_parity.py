"""The central tests: torch and MLX compute the same, and what the reference implementation computed."""

import numpy as np
import pytest

from tests import tiny

TOLERANCE = 1e-4


@pytest.mark.parametrize("config", tiny.VARIANTS.values(), ids=tiny.VARIANTS)
def test_hypernetworks_agree(config):
    import mlx.core as mx
    import torch

    network = tiny.torch_hypernet(config)
    twin = tiny.to_mlx(network)
    features = (
        np.random.default_rng(1).normal(size=(2, len(config.read_layers), 9, config.feature_size)).astype(np.float32)
    )
    features[..., 64:128] = features[:, :1, :, 64:128]  # embeddings, the same in all layers
    mask = np.arange(9) < np.array([[9], [5]])
    with torch.inference_mode():
        expected = network(torch.from_numpy(features), torch.from_numpy(mask))
        bias = network.bias()
    assert list(expected) == list(config.modules)
    for layer in range(config.num_layers):
        read = layer if config.exit_layer is None else 0
        pairs = twin(mx.array(features[:, read]), layer, mx.array(mask))
        for module, (d_in, d_out) in config.modules.items():
            a, b = pairs[module]
            assert a.shape == (2, config.rank, d_in)
            assert b.shape == (2, config.rank, d_out)
            for side, array in enumerate((a, b)):
                np.testing.assert_allclose(np.array(array), expected[module][side][:, layer], atol=1e-5)
                ours = np.array(twin.bias(layer)[module][side])
                np.testing.assert_array_equal(ours, bias[module][side][layer].detach().numpy())


def test_padding_changes_nothing():
    import mlx.core as mx

    twin = tiny.to_mlx(tiny.torch_hypernet(tiny.HYPERNET))
    features = mx.random.normal((1, 9, 64), key=mx.random.key(0))
    alone = twin(features[:, :5], 1)["down_proj"]
    padded = twin(features, 1, mx.arange(9)[None] < 5)["down_proj"]
    for one, other in zip(alone, padded, strict=True):
        np.testing.assert_allclose(np.array(one), np.array(other), atol=1e-6)


@pytest.mark.parametrize("model_type", ["ministral3", "mistral", "llama", "gemma2", "qwen3"])
def test_base_logits_and_features_agree_with_transformers(tmp_path, model_type):
    """Ministral 3 with YaRN, and what others do differently: embedding scale, soft caps, query norms."""
    import mlx.core as mx
    import torch

    from mlx_hypernet.encoder import layer_features

    tiny.save_base(tmp_path, model_type=model_type)
    base, torch_base = tiny.load_base(tmp_path), tiny.load_torch_base(tmp_path)
    # 40 tokens: past the original length of 32, where YaRN and the attention scale change what happens.
    ids = np.random.default_rng(2).integers(0, 96, size=(2, 40))
    with torch.inference_mode():
        out = torch_base(torch.from_numpy(ids), output_hidden_states=True)
        normed = torch_base.model.norm(out.hidden_states[2])
    np.testing.assert_allclose(np.array(base(mx.array(ids))), out.logits, atol=TOLERANCE)
    layers = []
    for layer, features in layer_features(base, mx.array(ids)):
        expected = normed if layer == 2 else out.hidden_states[layer]
        np.testing.assert_allclose(np.array(features), expected, atol=TOLERANCE)
        layers.append(layer)
    assert layers == [0, 1, 2]


def test_adapted_logits_agree_with_transformers(base, torch_base, bundle):
    """The adapter through LoRALinear in MLX, against the same adapter added to the weights in torch."""
    import copy

    import mlx.core as mx
    import torch

    from mlx_hypernet.absorbing import absorb
    from mlx_hypernet.adapter import compose
    from mlx_hypernet.live import attach

    adapter = compose([absorb(base, bundle, [[1, 3, 9, 8, 7, 4], [1, 3, 6, 4]])])
    merged = copy.deepcopy(torch_base)
    query = [[1, 3, 20, 21, 22, 4]]
    with torch.inference_mode():
        for layer, block in enumerate(merged.model.layers):
            a, b = (torch.tensor(np.array(side["down_proj"][layer])) for side in (adapter.A, adapter.B))
            block.mlp.down_proj.weight += adapter.scale * b.T @ a
        expected, plain = merged(torch.tensor(query)).logits, torch_base(torch.tensor(query)).logits
    attach(base, adapter)
    assert (expected - plain).abs().max() > 0.1
    np.testing.assert_allclose(np.array(base(mx.array(query))), expected, atol=TOLERANCE)


def test_reference_implementation():
    """Features, A, B, combined adapter and logits of SakanaAI/doc-to-lora, as the converter reads it."""
    import mlx.core as mx

    from convert.reference import PickledWeights, read_reference
    from mlx_hypernet.absorbing import absorb
    from mlx_hypernet.adapter import compose
    from mlx_hypernet.bundle import Bundle
    from mlx_hypernet.encoder import layer_features
    from mlx_hypernet.fingerprint import describe
    from mlx_hypernet.format.config import BundleConfig
    from mlx_hypernet.hypernet import HyperNetwork
    from mlx_hypernet.live import attach

    checkpoint = read_reference(tiny.REFERENCE / "pytorch_model.bin")
    expected = np.load(tiny.REFERENCE / "expected.npz")
    base = tiny.load_base(tiny.REFERENCE / "base")
    hypernet = HyperNetwork(checkpoint.hypernet)
    hypernet.load_weights(list(PickledWeights(tiny.REFERENCE / "pytorch_model.bin", checkpoint.hypernet).arrays()))
    config = BundleConfig(checkpoint.hypernet, describe(base), 512, (), (), "float32", {}, "test")
    mask = expected["ctx_mask"].astype(bool)

    for layer, features in layer_features(base, mx.array(expected["ctx_ids"])):
        wanted = expected["features"][:, layer][mask]
        np.testing.assert_allclose(np.array(features)[mask], wanted, atol=TOLERANCE)
    chunks = [ids[keep].tolist() for ids, keep in zip(expected["ctx_ids"], mask, strict=True)]
    adapters = absorb(base, Bundle(config, hypernet, "reference"), chunks)
    np.testing.assert_allclose(np.array(adapters.A["down_proj"]), expected["down_proj.A"], atol=TOLERANCE)
    np.testing.assert_allclose(np.array(adapters.B["down_proj"]), expected["down_proj.B"], atol=TOLERANCE)
    adapter = compose([adapters])
    for side, name in ((adapter.A, "combined_A"), (adapter.B, "combined_B")):
        wanted = expected[f"down_proj.{name}"][0]
        np.testing.assert_allclose(np.array(side["down_proj"]), wanted, atol=TOLERANCE)
    assert adapter.scale == expected["scaling"]
    query = mx.array(expected["query_ids"])
    np.testing.assert_allclose(np.array(base(query)), expected["base_logits"], atol=TOLERANCE)
    attach(base, adapter)
    np.testing.assert_allclose(np.array(base(query)), expected["lora_logits"], atol=TOLERANCE)


def test_torch_twin_is_the_reference():
    import torch

    from convert.reference import read_reference
    from mlx_hypernet.format.config import HypernetConfig
    from torch_train.model.hypernet import HyperNetwork

    checkpoint = read_reference(tiny.REFERENCE / "pytorch_model.bin")
    expected = np.load(tiny.REFERENCE / "expected.npz")
    network = HyperNetwork(HypernetConfig.from_dict(checkpoint.hypernet.to_dict()))
    network.load_state_dict(checkpoint.tensors)
    with torch.inference_mode():
        features, mask = torch.from_numpy(expected["features"]), torch.from_numpy(expected["ctx_mask"]).bool()
        a, b = network(features, mask)["down_proj"]
    np.testing.assert_allclose(a, expected["down_proj.A"], atol=1e-5)
    np.testing.assert_allclose(b, expected["down_proj.B"], atol=1e-5)
