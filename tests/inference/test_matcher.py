"""The matcher: torch and MLX agree, chunks are marked as they are absorbed, a bundle that lies is refused."""

import json
from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_hypernet import matcher as mlx_matcher
from mlx_hypernet.absorbing import absorb_batch, read
from mlx_hypernet.bundle import BundleError, load_bundle, save_bundle
from mlx_hypernet.encoder import layer_features
from mlx_hypernet.format.config import BundleConfig, ConfigError, MatcherConfig
from mlx_hypernet.identity import weights_id
from mlx_hypernet.marks import Marks
from tests import tiny

CHUNKS = [[1, 3, 9, 8, 7, 4], [1, 3, 6, 4], [1, 3, 30, 31, 32, 33, 34, 4]]
QUESTION = [1, 3, 9, 31, 40, 4]
CONFIG = MatcherConfig(layer=1, width=16, blocks=2, heads=2, weights="")
VOCABULARY, HIDDEN = tiny.BASE["vocab_size"], tiny.BASE["hidden_size"]


@pytest.fixture
def torch_twin() -> Any:
    """A random matcher in torch, with no parameter left at a value that would hide a mistake; 8 is written as 9."""
    import torch

    from torch_train.english.matcher import Matcher

    torch.manual_seed(0)
    words = torch.arange(VOCABULARY, dtype=torch.int32)
    words[8] = 9
    made = Matcher(CONFIG, words, torch.randn(HIDDEN), torch.rand(HIDDEN) + 0.5)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made.eval()


@pytest.fixture
def matching(bundle, torch_twin):
    """A bundle with that matcher."""
    twin = mlx_matcher.Matcher(CONFIG, HIDDEN, VOCABULARY)
    twin.load_weights([(name, mx.array(value.numpy())) for name, value in torch_twin.state_dict().items()])
    return replace(bundle, matcher=twin, config=replace(bundle.config, matcher=CONFIG))


@pytest.fixture
def folder(tmp_path, matching):
    """It on disk."""
    path = tmp_path / "bundle"
    path.mkdir()
    mx.save_safetensors(str(path / mlx_matcher.FILE), dict(tree_flatten(matching.matcher.parameters())))
    named = replace(CONFIG, weights=weights_id(path / mlx_matcher.FILE))
    weights = dict(tree_flatten(matching.hypernet.parameters()))
    save_bundle(path, replace(matching.config, matcher=named), weights)
    return path


def test_torch_and_mlx_agree(base, matching, torch_twin):
    import torch

    from torch_train.english.matcher import Texts

    asked = read(base, matching, QUESTION).marks
    marks = absorb_batch(base, matching, CHUNKS).marks
    found = matching.matcher(asked, marks)

    def features(ids):
        (layer, _), (_, hidden), *_ = layer_features(base, mx.array([ids]))
        assert layer == 0
        return torch.tensor(np.array(hidden[0, 2:-1]))

    def texts(some):
        return Texts([features(ids) for ids in some], [torch.tensor(ids[2:-1]) for ids in some], torch_twin.words)

    with torch.no_grad():
        logits = torch_twin(texts([QUESTION] * 3), texts(CHUNKS))
    answers = logits[:, 2] - logits[:, :2].logsumexp(-1)
    related = logits[:, 1:].logsumexp(-1) - logits[:, 0]
    np.testing.assert_allclose([one.answers for one in found], answers.numpy(), atol=0.01)  # marks have 16 bits
    np.testing.assert_allclose([one.related for one in found], related.numpy(), atol=0.01)


def test_chunks_are_compared_one_by_one(base, matching):
    asked, marks = read(base, matching, QUESTION).marks, absorb_batch(base, matching, CHUNKS).marks
    together = matching.matcher(asked, marks)
    alone = [matching.matcher(asked, [one])[0] for one in marks]
    np.testing.assert_allclose(np.array(together), np.array(alone), atol=1e-4)
    assert matching.matcher(asked, []) == []


def test_words_of_both_sides_count(base, matching):
    """The same features with another word are another match."""
    asked, (chunk, *_) = read(base, matching, QUESTION).marks, absorb_batch(base, matching, CHUNKS).marks
    assert chunk.words.tolist() == [9, 9, 7]
    (same,) = matching.matcher(asked, [chunk])
    (other,) = matching.matcher(asked, [Marks(chunk.words + 50, chunk.tokens)])
    assert abs(same.answers - other.answers) > 0.01


def test_a_question_is_marked_as_a_chunk(base, matching):
    (chunk,) = absorb_batch(base, matching, CHUNKS[:1]).marks
    question = read(base, matching, CHUNKS[0]).marks
    assert question.words.tolist() == chunk.words.tolist()
    np.testing.assert_allclose(question.tokens, chunk.tokens, atol=1e-2)


def test_without_a_matcher_nothing_is_marked(base, bundle):
    assert absorb_batch(base, bundle, CHUNKS).marks is None
    assert read(base, bundle, QUESTION).marks is None


def test_a_bundle_brings_its_matcher(base, folder, matching):
    loaded = load_bundle(folder)
    asked, marks = read(base, loaded, QUESTION).marks, absorb_batch(base, loaded, CHUNKS).marks
    np.testing.assert_allclose(
        np.array(loaded.matcher(asked, marks)), np.array(matching.matcher(asked, marks)), atol=1e-3
    )
    assert BundleConfig.from_dict(json.loads((folder / "config.json").read_text())) == loaded.config


def test_another_matcher_is_another_bundle(folder):
    first = load_bundle(folder).id
    path = folder / mlx_matcher.FILE
    weights = {name: value + (1 if name == "start" else 0) for name, value in mx.load(str(path)).items()}
    mx.save_safetensors(str(path), weights)
    with pytest.raises(BundleError, match="not the one its configuration names"):
        load_bundle(folder)
    config = json.loads((folder / "config.json").read_text())
    config["matcher"]["weights"] = weights_id(path)
    (folder / "config.json").write_text(json.dumps(config))
    assert load_bundle(folder).id != first


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"width": 32}, "shape"),
        ({"blocks": 1}, "unknown"),
        ({"blocks": 4000}, "too few"),
        ({"heads": 3}, "whole heads"),
        ({"layer": 3}, "reads block 3 of 3"),
        ({"width": True}, "integers"),
        ({"width": 1 << 40}, "integers"),
        ({"depth": 1}, "unknown keys"),
    ],
)
def test_sizes_that_lie_are_refused(folder, change, word):
    config = json.loads((folder / "config.json").read_text())
    config["matcher"] |= change
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match=word) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)


def test_a_matcher_that_is_gone_is_refused(folder):
    (folder / mlx_matcher.FILE).unlink()
    with pytest.raises(BundleError, match="missing"):
        load_bundle(folder)


def test_numbers_that_are_none_are_refused(folder):
    path = folder / mlx_matcher.FILE
    weights = {name: value * (float("nan") if name == "start" else 1) for name, value in mx.load(str(path)).items()}
    mx.save_safetensors(str(path), weights)
    config = json.loads((folder / "config.json").read_text())
    config["matcher"]["weights"] = weights_id(path)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match="start holds NaN"):
        load_bundle(folder)


def test_config():
    with pytest.raises(ConfigError, match="must be a text"):
        MatcherConfig(1, 16, 2, 2, 5)  # type: ignore[arg-type]
