"""Reference checkpoints through the command: the same numbers as torch's, whatever the shape."""

from dataclasses import replace
from types import SimpleNamespace

import mlx.core as mx
import numpy as np
import pytest
import torch

from benchmarks.conversion import write_reference
from convert.errors import CheckpointError
from convert.pickles import load
from convert.reference import hypernet_config, read_reference
from convert.reference_keys import to_ours, to_theirs
from mlx_hypernet.absorbing import absorb
from mlx_hypernet.adapter import compose
from mlx_hypernet.bundle import load_bundle
from mlx_hypernet.encoder import layer_features as mlx_features
from mlx_hypernet.hypernet import HyperNetwork
from mlx_hypernet.live import attach
from tests import tiny
from tests.conversion.command import converts, fails
from torch_train.model.encoder import layer_features
from torch_train.model.lora import Injected
from torch_train.model.lora import compose as torch_compose
from torch_train.model.ragged import Ragged

TOLERANCE = 1e-4
# The reference's Perceiver always has these heads.
PLAIN = replace(tiny.HYPERNET, num_heads=16, num_kv_heads=4, head_dim=128, rank=8)
SHAPES = {
    "one module": PLAIN,
    "several modules": replace(PLAIN, modules={"q_proj": (64, 64), "down_proj": (96, 64), "v_proj": (64, 32)}),
    "shared MLP": replace(PLAIN, per_layer_processing=False),
    "two shared MLPs": replace(PLAIN, num_pre_head_layers=2, per_layer_processing=False),
    "two per-layer MLPs": replace(PLAIN, num_pre_head_layers=2),
    "rank 4, 12 latents": replace(PLAIN, rank=4, scale=16.0, num_latents=12),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A tiny random base without a tokenizer."""
    return tiny.save_base(tmp_path_factory.mktemp("base"))


def save(path, config=PLAIN, base="somewhere/else", **options):
    """A reference checkpoint of a random torch hypernetwork, which is returned."""
    path.parent.mkdir(parents=True, exist_ok=True)
    network = tiny.torch_hypernet(config)
    write_reference(path, config, network.state_dict(), base, **options)
    return network


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_computes_what_torch_does(tmp_path, base, shape):
    network = save(tmp_path / "checkpoint-80" / "pytorch_model.bin", SHAPES[shape])
    converts(tmp_path / "checkpoint-80", tmp_path / "bundle", "--base", base)
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.config.hypernet == SHAPES[shape]
    assert bundle.config.source["step"] == 80

    chunks, query = [[1, 3, 9, 8, 7, 4], [1, 3, 6, 5, 2, 4]], [[1, 3, 20, 21, 22, 4]]
    twin, ids = tiny.load_torch_base(base), torch.tensor(chunks)
    with torch.no_grad():
        features = layer_features(twin, ids, torch.ones_like(ids, dtype=torch.bool))
        pairs = network(features)
        combined = torch_compose(pairs, network.bias(), Ragged.of([2]))
        with Injected(twin.model.layers, tuple(pairs), network.config.scale).adapted(combined):
            logits = twin(torch.tensor(query)).logits

    model = tiny.load_base(base)
    for layer, ours in mlx_features(model, mx.array(chunks)):
        np.testing.assert_allclose(np.array(ours), features[:, layer], atol=TOLERANCE)
    adapters = absorb(model, bundle, chunks)
    adapter = compose([adapters])
    for module, (a, b) in pairs.items():
        np.testing.assert_allclose(np.array(adapters.A[module]), a, atol=TOLERANCE)
        np.testing.assert_allclose(np.array(adapters.B[module]), b, atol=TOLERANCE)
        for ours, expected in zip((adapter.A[module], adapter.B[module]), combined[module], strict=True):
            np.testing.assert_allclose(np.array(ours), expected[0].detach(), atol=TOLERANCE)
    attach(model, adapter)
    np.testing.assert_allclose(np.array(model(mx.array(query))), logits, atol=TOLERANCE)


def test_the_reference_implementations_own_checkpoint(tmp_path):
    """Converted, absorbed, asked: features, A, B, combined adapter and logits are those the reference computed."""
    converts(tiny.REFERENCE, tmp_path / "bundle", "--base", tiny.REFERENCE / "base")
    expected = np.load(tiny.REFERENCE / "expected.npz")
    base, bundle = tiny.load_base(tiny.REFERENCE / "base"), load_bundle(tmp_path / "bundle")
    mask = expected["ctx_mask"].astype(bool)
    for layer, features in mlx_features(base, mx.array(expected["ctx_ids"])):
        np.testing.assert_allclose(np.array(features)[mask], expected["features"][:, layer][mask], atol=TOLERANCE)
    adapters = absorb(base, bundle, [ids[keep].tolist() for ids, keep in zip(expected["ctx_ids"], mask, strict=True)])
    adapter = compose([adapters])
    found = {"A": adapters.A, "B": adapters.B, "combined_A": adapter.A, "combined_B": adapter.B}
    for name, side in found.items():
        wanted = expected[f"down_proj.{name}"]
        np.testing.assert_allclose(np.array(side["down_proj"]), wanted.reshape(side["down_proj"].shape), atol=TOLERANCE)
    assert adapter.scale == expected["scaling"]
    attach(base, adapter)
    np.testing.assert_allclose(np.array(base(mx.array(expected["query_ids"]))), expected["lora_logits"], atol=TOLERANCE)


@pytest.mark.parametrize("shape", SHAPES)
def test_keys_go_there_and_back(shape):
    config = SHAPES[shape]
    shapes = HyperNetwork(config).parameter_shapes()
    tensors = {name: np.random.default_rng(i).normal(size=shapes[name]) for i, name in enumerate(shapes)}
    back = to_ours(to_theirs(tensors, config), config)
    assert back.keys() == tensors.keys()
    assert all(np.array_equal(back[name], tensor) for name, tensor in tensors.items())


def test_the_twin_has_the_layout_of_the_real_one(tmp_path):
    real, config = load(tiny.REFERENCE / "pytorch_model.bin"), read_reference(tiny.REFERENCE / "pytorch_model.bin")
    tensors = {name: value for name, value in real.items() if isinstance(value, torch.Tensor)}
    theirs = to_theirs(config.tensors, config.hypernet)
    assert {name: value.shape for name, value in theirs.items()} == {name: t.shape for name, t in tensors.items()}
    assert all(torch.equal(theirs[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod."])
def test_prefixes_of_wrappers_are_stripped(prefix):
    shapes = HyperNetwork(PLAIN).parameter_shapes()
    theirs = to_theirs({name: np.zeros(shape) for name, shape in shapes.items()}, PLAIN)
    assert to_ours({prefix + key: value for key, value in theirs.items()}, PLAIN).keys() == shapes.keys()


def test_older_names_of_modules(tmp_path):
    modules = {"HypernetConfig": "ctx_to_lora.modeling_utils", "CTX_ENCODER_TYPE": "ctx_to_lora.configs"}
    save(tmp_path / "pytorch_model.bin", modules=modules)
    assert read_reference(tmp_path / "pytorch_model.bin").hypernet == PLAIN


def test_other_modules_are_refused_by_name(tmp_path):
    save(tmp_path / "pytorch_model.bin", modules={"HypernetConfig": "ctx_to_lora.evil"})
    fails(5, "ctx_to_lora.evil.HypernetConfig", tmp_path / "pytorch_model.bin", tmp_path / "bundle")


def test_all_disagreements_of_config_and_tensors_are_named(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    tensors = tiny.torch_hypernet(PLAIN).state_dict()
    tensors["bias_A.down_proj"] = tensors["bias_A.down_proj"][:, :2].clone()
    del tensors["decoder.latents"]
    write_reference(path, PLAIN, tensors, "somewhere/else", num_pre_head_layers=2)
    for words in (
        "bias_A.down_proj has shape (3, 2, 96), expected (3, 8, 96)",
        "missing aggregator.perceiver.decoder.latents_q",
        "missing layers.1.layers.0.weight",
    ):
        fails(5, words, path, tmp_path / "bundle")


@pytest.mark.parametrize("change", [{"num_pre_head_layers": 10**9}, {"latent_size": 10**12}, {"latent_size": "wide"}])
def test_a_config_that_would_exhaust_the_machine(tmp_path, change):
    write_reference(
        tmp_path / "pytorch_model.bin", PLAIN, tiny.torch_hypernet(PLAIN).state_dict(), "somewhere/else", **change
    )
    fails(5, "every size of a hypernetwork must be", tmp_path / "pytorch_model.bin", tmp_path / "x")


def test_a_base_that_nobody_knows_is_asked_for(tmp_path):
    save(tmp_path / "pytorch_model.bin")
    words = "'somewhere/else', which is not known here: give it with --base"
    fails(5, words, tmp_path / "pytorch_model.bin", tmp_path / "bundle")


def test_a_base_of_endless_words_is_refused(tmp_path):
    save(tmp_path / "pytorch_model.bin")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text('{"model_type": "llama", "vocab_size": 1e999}')
    fails(5, "vocab_size", tmp_path / "pytorch_model.bin", tmp_path / "bundle", "--base", tmp_path / "base")


def test_a_known_base_needs_not_be_there(tmp_path):
    save(tmp_path / "pytorch_model.bin", base="mistralai/Ministral-3-3B-Instruct-2512")
    converts(tmp_path / "pytorch_model.bin", tmp_path / "bundle", "--verify", 0)
    config = load_bundle(tmp_path / "bundle").config
    assert config.base.repository == "mistralai/Ministral-3-3B-Instruct-2512"
    assert (config.base.model_type, config.base.vocab_size) == ("ministral3", 131_072)
    assert (config.prefix_ids, config.suffix_ids, config.max_chunk_tokens) == ((1, 3), (4,), 512)


def test_template_ids_come_from_the_bases_tokenizer(tmp_path, make_base):
    sizes = {"hidden_size": 64, "intermediate_size": 96}
    make_base(tmp_path / "base", seed=0, **sizes)
    save(tmp_path / "run" / "pytorch_model.bin")
    converts(tmp_path / "run", tmp_path / "bundle", "--base", tmp_path / "base", "--verify", 0)
    config = load_bundle(tmp_path / "bundle").config
    assert (config.prefix_ids, config.suffix_ids) == ((1, 3), (4,))


def test_chunk_length_comes_from_the_run(tmp_path, base):
    save(tmp_path / "run" / "checkpoint-9" / "pytorch_model.bin")
    (tmp_path / "run" / "args.yaml").write_text("lr: 1.0e-05\nmax_ctx_chunk_len: 256\nmin_ctx_chunk_len: 25\n")
    converts(tmp_path / "run", tmp_path / "bundle", "--base", base, "--verify", 0)
    assert load_bundle(tmp_path / "bundle").config.max_chunk_tokens == 256


def their_config(**changes):
    """A reference configuration with the attributes that are read."""
    aggregator = SimpleNamespace(
        feature_size=64, n_latent_queries=5, num_blocks=2, num_self_attn_per_block=0, shared_weights=False
    )
    lora = SimpleNamespace(r=4, lora_alpha=16.0, target_modules={"down_proj"})
    config = {
        "latent_size": 32,
        "num_pre_head_layers": 1,
        "per_layer_processing": True,
        "lora_config": lora,
        "aggregator_config": aggregator,
        "layer_indices": np.arange(3),
        "feature_sizes": ({"down_proj": 96}, {"down_proj": 64}),
    }
    return SimpleNamespace(**config | changes), SimpleNamespace(ctx_encoder_type="per_layer_activations")


def test_scale_is_alpha_as_it_is():
    config = hypernet_config(*their_config())
    assert (config.scale, config.rank, config.modules) == (16.0, 4, {"down_proj": (96, 64)})


def test_old_checkpoints_have_four_pre_head_layers():
    assert hypernet_config(*their_config(num_pre_head_layers=None)).num_pre_head_layers == 4


def test_unsupported_options_are_named_together():
    config, encoder = their_config(use_token_mixing=True, per_rank_gen=False, layer_indices=np.array([0, 2]))
    encoder.ctx_encoder_type, encoder.ctx_encoder_last_layer = "early_exit", 1
    encoder.ctx_encoder_model_name_or_path = "another/model"
    with pytest.raises(CheckpointError) as caught:
        hypernet_config(config, encoder, "the/base")
    for word in ("use_token_mixing", "per_rank_gen", "early_exit", "layer_indices", "another/model", "last_layer=1"):
        assert word in str(caught.value)


def test_without_torch_the_remedy_is_named(tmp_path, monkeypatch):
    import sys

    save(tmp_path / "pytorch_model.bin")
    monkeypatch.setitem(sys.modules, "torch", None)
    fails(5, "pip install torch==2.13.0", tmp_path / "pytorch_model.bin", tmp_path / "bundle")


def test_a_config_without_what_is_needed(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"head.weight": torch.zeros(3), "base_model_name_or_path": "x"}, path)
    fails(5, "no 'ctx_encoder_args'", path, tmp_path / "bundle")
