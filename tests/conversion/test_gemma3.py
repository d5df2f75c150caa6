"""Gemma 3's text models: windows and rotations that differ from layer to layer, and a rounded embedding scale."""

from __future__ import annotations

import json
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
import torch
from mlx_lm.utils import load_model

from convert.base.model import convert_base
from convert.base.options import BaseOptions
from convert.errors import CheckpointError
from convert.torch_base import load_torch_base
from mlx_hypernet.encoder import layer_features
from tests.conversion import published

EXACT = BaseOptions(dtype="float32", verify=0)
IDS = [(7 * i) % published.VOCABULARY for i in range(60)]  # beyond the window of 24


@torch.inference_mode()
def test_features_and_logits_are_those_of_transformers(tmp_path: Path) -> None:
    """Width 48, whose root is not a bf16 number, so that the scale of the embeddings is seen as well."""
    source = published.text_only(tmp_path / "source", "gemma3_text", hidden_size=48)
    convert_base(source, tmp_path / "base", EXACT)
    config = json.loads((tmp_path / "base" / "config.json").read_text())
    assert (config["rope_theta"], config["rope_local_base_freq"]) == (1_000_000.0, 10_000.0)
    assert (config["sliding_window_pattern"], config["sliding_window"]) == (3, 24)
    assert config["max_position_embeddings"] == 512  # windows do not shorten what it reads
    torch_base, base = load_torch_base(source), load_model(tmp_path / "base")[0]
    out = torch_base(torch.tensor([IDS]), output_hidden_states=True)
    np.testing.assert_allclose(np.array(base(mx.array([IDS]))), out.logits.numpy(), atol=1e-3, rtol=0)
    states = [*out.hidden_states[:2], torch_base.model.norm(out.hidden_states[2])]
    for layer, features in layer_features(base, mx.array([IDS])):
        np.testing.assert_allclose(np.array(features), states[layer].numpy(), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer_types": ["full_attention", "sliding_attention", "full_attention"]}, "do not alternate regularly"),
        ({"layer_types": ["sliding_attention"] * 3}, "do not alternate regularly"),
        ({"final_logit_softcapping": 30.0}, "soft caps"),
    ],
)
def test_what_mlx_lm_cannot_compute_is_refused(
    tmp_path: Path, gemma3: Path, changes: dict[str, object], message: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for file in gemma3.iterdir():
        (source / file.name).write_bytes(file.read_bytes())
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(CheckpointError, match=message):
        convert_base(source, tmp_path / "base", EXACT)


@pytest.fixture(scope="module")
def gemma3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published.text_only(tmp_path_factory.mktemp("gemma3") / "source", "gemma3_text")
