"""The pair that ships: small enough, the same in torch and MLX, and it answers from weights."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
import torch
from mlx_lm import load
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from benchmarks.accuracy import ROWS, Model
from mlx_hypernet.absorbing import absorb
from mlx_hypernet.adapter import compose
from mlx_hypernet.bundle import load_bundle
from mlx_hypernet.format.config import HypernetConfig
from mlx_hypernet.format.template import document_ids
from mlx_hypernet.live import attach, detach
from thoth import nano
from torch_train.model.encoder import layer_features
from torch_train.model.hypernet import HyperNetwork
from torch_train.model.lora import Injected
from torch_train.model.lora import compose as torch_compose

ROOT = Path(__file__).parents[2]
NOTE = (ROOT / "examples" / "harbour.txt").read_text()


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(nano.folder())


def test_fits_the_package() -> None:
    """A wheel is compressed, and a third of the wider base are zeros."""
    files = [file for file in nano.folder().rglob("*") if file.suffix != ".py" and file.is_file()]
    assert sum(len(zlib.compress(file.read_bytes(), 1)) for file in files) < 22_500_000


def test_torch_and_mlx_agree_on_the_shipped_weights() -> None:
    base, tokenizer = load(str(nano.folder() / "base"))
    bundle = load_bundle(nano.folder() / "hypernet")
    chunk = document_ids(tokenizer, NOTE)
    question = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Who is the mayor of Harpool?"}], add_generation_prompt=True
    )
    adapters = absorb(base, bundle, [chunk])
    plain = np.array(base(mx.array([question])))
    attach(base, compose([adapters]))
    adapted = np.array(base(mx.array([question])))
    detach(base)

    config = json.loads((nano.folder() / "hypernet" / "config.json").read_text())["hypernet"]
    hypernet = HyperNetwork(HypernetConfig.from_dict(config))
    hypernet.load_state_dict(load_file(nano.folder() / "hypernet" / "model.safetensors"))
    twin = AutoModelForCausalLM.from_pretrained(nano.folder() / "base", dtype=torch.float32)
    with torch.no_grad():
        ids = torch.tensor([chunk])
        pairs = hypernet(layer_features(twin, ids, torch.ones_like(ids, dtype=torch.bool)))
        expected_plain = twin(torch.tensor([question])).logits
        injected = Injected(twin.model.layers, tuple(pairs), hypernet.config.scale)
        with injected.adapted(torch_compose(pairs, hypernet.bias())):
            expected = twin(torch.tensor([question])).logits
    for name, (a, b) in pairs.items():
        np.testing.assert_allclose(np.array(adapters.A[name]), a.numpy(), atol=1e-4, rtol=0)
        np.testing.assert_allclose(np.array(adapters.B[name]), b.numpy(), atol=1e-4, rtol=0)
    np.testing.assert_allclose(plain, expected_plain.numpy(), atol=1e-4, rtol=0)
    np.testing.assert_allclose(adapted, expected.numpy(), atol=1e-4, rtol=0)
    assert np.abs(adapted - plain).max() > 1


def test_knows_from_weights_what_it_does_not_know_without(model: Model) -> None:
    question = "Who is the mayor of Harpool?"
    assert model.answer(question) == "I don't know."
    attach(model.base, compose([model.absorb(NOTE)]))
    assert model.answer(question) == "Osra Kelland"
    detach(model.base)
    assert model.answer(question) == "I don't know."


@pytest.mark.parametrize(("name", "least"), [("adapter only, 1 fact", 0.8), ('no document: "I don\'t know."', 0.9)])
def test_is_about_as_good_as_documented(model: Model, name: str, least: float) -> None:
    row = next(row for row in ROWS if row.name == name)
    asked, right = model.score(row, 30)
    assert right / asked >= least
