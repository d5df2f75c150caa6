"""Reading reference checkpoints: names and shapes, and that no pickle runs anything."""

import pickle
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from convert.errors import CheckpointError
from convert.reference import hypernet_config, read_reference, translate
from tests import tiny

needs_reference = pytest.mark.skipif(
    not tiny.REFERENCE.exists(), reason="needs the reference checkpoint beside the project"
)


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
    encoder.ctx_encoder_type = "early_exit"
    with pytest.raises(CheckpointError) as caught:
        hypernet_config(config, encoder)
    for word in ("use_token_mixing", "per_rank_gen", "early_exit", "layer_indices"):
        assert word in str(caught.value)


def test_shared_mlp_is_transposed():
    """A shared pre-head MLP is a torch Linear (out, in) in the reference, (1, in, out) here."""
    hypernet = tiny.VARIANTS["shared MLP"]
    weight = np.arange(128 * 32, dtype=np.float32).reshape(128, 32)
    with pytest.raises(CheckpointError) as caught:
        translate({"layers.0.mlp.2.weight": weight, "layers.0.mlp.2.bias": np.zeros(128)}, hypernet)
    assert "pre_head.0.up" not in str(caught.value)
    assert "missing head.weight" in str(caught.value)


@needs_reference
def test_unknown_missing_and_misshapen_keys_are_named_together(monkeypatch):
    from convert import reference

    data = reference.unpickle(tiny.REFERENCE / "pytorch_model.bin")
    data["surprise"] = data.pop("head.weight")
    data["bias_A.down_proj"] = data["bias_A.down_proj"][:2]
    monkeypatch.setattr(reference, "unpickle", lambda path: data)
    with pytest.raises(CheckpointError) as caught:
        read_reference(tiny.REFERENCE / "pytorch_model.bin")
    for words in ("unknown surprise", "missing head.weight", "bias_A.down_proj has shape (2, 8, 160)"):
        assert words in str(caught.value)


@needs_reference
def test_truncated_file_is_refused(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes((tiny.REFERENCE / "pytorch_model.bin").read_bytes()[:100_000])
    with pytest.raises(CheckpointError):
        read_reference(path)


class Evil:
    """Unpickled freely, this would run a command."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("form", ["zip", "plain"])
def test_pickle_that_runs_something_is_refused_by_name(tmp_path, form):
    path, marker = tmp_path / "pytorch_model.bin", tmp_path / "ran"
    payload = pickle.dumps({"head.weight": Evil(marker)}, protocol=2)
    if form == "plain":
        path.write_bytes(payload)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", payload)
            archive.writestr("archive/version", "3\n")
    with pytest.raises(CheckpointError):
        read_reference(path)
    assert not marker.exists()


def test_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        read_reference(tmp_path / "pytorch_model.bin")
