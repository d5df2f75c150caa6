"""Pairs of tokens against a loop that says what they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mlx_hypernet.format.config import ConfigError
from tests.training import tiny_run
from torch_train.errors import TrainingError
from torch_train.model.hypernet import HyperNetwork
from torch_train.model.ragged import Ragged
from torch_train.model.token_pairs import TokenPairs
from torch_train.training import checkpoint

CONFIG = replace(tiny_run.SHAPE, token_pairs=True)
LENGTHS = (7, 1, 4)


@torch.no_grad()
def test_each_row_has_a_token_and_what_was_read_before_it() -> None:
    torch.manual_seed(0)
    pairs = TokenPairs(CONFIG)
    for parameter in pairs.parameters():
        parameter.normal_()
    features = [torch.randn(sum(LENGTHS), CONFIG.feature_size) for _ in range(CONFIG.num_layers)]
    for feature in features[1:]:
        feature[:, 32:64] = features[0][:, 32:64]  # embeddings are those of all layers
    made = pairs(features, Ragged.of(LENGTHS))
    read = {"down_proj": slice(64, 112), "q_proj": slice(112, 144)}
    for chunk, length in enumerate(LENGTHS):
        start = sum(LENGTHS[:chunk])
        for layer in range(CONFIG.num_layers):
            for row in range(CONFIG.rank):
                token = (row * CONFIG.num_layers + layer) % length
                word = features[layer][start + token, 32:64].numpy()
                for name, part in read.items():
                    inputs = features[layer][start : start + length, part].numpy()
                    key = inputs[token - 1] - inputs.mean(0) if token else np.zeros(inputs.shape[1])
                    key = key / max(np.linalg.norm(key), 1e-12) * pairs.scaler_key[name][layer, row].numpy()
                    unit = word / np.linalg.norm(word) * pairs.scaler_word[name][layer, row].numpy()
                    np.testing.assert_allclose(made[name][0][chunk, layer, row], key, atol=1e-5)
                    np.testing.assert_allclose(made[name][1][chunk, layer, row], unit, atol=1e-5)


def test_a_training_with_pairs_starts_from_weights_without(tmp_path: Path) -> None:
    made_with = {
        name: HyperNetwork(replace(CONFIG, token_pairs=pairs)) for name, pairs in (("old", False), ("new", True))
    }
    record = checkpoint.BaseRecord("", None, "llama", 32, CONFIG.num_layers, 96, 25, (), ())
    for name, hypernet in made_with.items():
        (tmp_path / name).mkdir()
        checkpoint.write_model(tmp_path / name, hypernet.config, hypernet.state_dict(), record, 5)
    started = HyperNetwork(CONFIG)
    before = {name: value.clone() for name, value in started.state_dict().items()}
    checkpoint.load_start(started, tmp_path / "old")
    old = made_with["old"].state_dict()
    for name, value in started.state_dict().items():
        assert torch.equal(value, before[name] if name.startswith("token_pairs.") else old[name])
    checkpoint.load_start(started, tmp_path / "new")
    assert all(map(torch.equal, started.state_dict().values(), made_with["new"].state_dict().values()))
    with pytest.raises(TrainingError, match="token_pairs"):
        checkpoint.load_start(made_with["old"], tmp_path / "new")


@pytest.mark.parametrize(
    "change",
    [{"exit_layer": 1}, {"modules": {"gate_proj": (32, 48)}}, {"token_pairs": 1}],
    ids=["early exit", "writes no hidden states", "no flag"],
)
def test_what_cannot_have_pairs_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="token_pairs"):
        replace(CONFIG, **change)  # type: ignore[arg-type]
