"""Published base models to MLX bases: the same logits as transformers', tokenizer and all."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
import torch
from mlx import nn
from mlx_lm import stream_generate
from mlx_lm.utils import load_model

from convert.base.model import convert_base
from convert.base.options import BaseOptions
from convert.base.parity import BaseReport
from convert.errors import CheckpointError, ConversionError
from mlx_hypernet.adapter import Adapter
from mlx_hypernet.encoder import layer_features
from mlx_hypernet.fingerprint import describe, fingerprint
from mlx_hypernet.live import attach, detach
from mlx_hypernet.storage import read_tensors
from mlx_hypernet.tokenizer import load_tokenizer
from tests.conversion import published

# Three times the original length of the replicas' YaRN.
IDS = [(7 * i) % published.VOCABULARY for i in range(100)]


@pytest.fixture(scope="module")
def bf16(tmp_path_factory) -> Path:
    """The wrapper in BF16."""
    return published.wrapper(tmp_path_factory.mktemp("published") / "bf16")


def convert(source: Path, destination: Path, **options) -> BaseReport:
    return convert_base(source, destination, BaseOptions(**{"dtype": "float32"} | options))


def mlx_logits(folder: Path) -> np.ndarray:
    model = load_model(folder)[0]
    model.set_dtype(mx.float32)
    return np.array(model(mx.array([IDS]))[0])


def rename_as_transformers_5(folder: Path) -> Path:
    names = {"language_model.model.": "model.language_model.", "language_model.lm_head.": "lm_head."}
    names |= {prefix: f"model.{prefix}" for prefix in ("vision_tower.", "multi_modal_projector.")}
    weights = {}
    for name, weight in published.stored(folder).items():
        old = next(prefix for prefix in names if name.startswith(prefix))
        weights[names[old] + name.removeprefix(old)] = weight
    published.rewrite(folder, weights)
    return folder


def edit(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


@pytest.mark.parametrize("make", ["bf16", "fp8", "fp8 in blocks", "names of transformers 5"])
def test_wrapper_gives_the_logits_of_transformers(tmp_path, bf16, make):
    source, reference = bf16, None
    if make == "names of transformers 5":
        source = rename_as_transformers_5(Path(shutil.copytree(bf16, tmp_path / "renamed")))
    elif make != "bf16":
        source, reference = published.fp8(tmp_path / "fp8", 48 if make == "fp8 in blocks" else None), bf16
    report = convert(source, tmp_path / "base", verify=2)
    expected = published.logits(source, IDS, reference).numpy()
    np.testing.assert_allclose(mlx_logits(tmp_path / "base"), expected, atol=1e-3, rtol=0)
    assert report.passed
    assert report.exact
    assert report.logits.max_absolute < 1e-3
    assert "logits" in report.table()
    config = json.loads((tmp_path / "base" / "config.json").read_text())
    assert config["model_type"] == "ministral3"
    assert config["eos_token_id"] == 2
    assert not {"quantization_config", "vision_config", "text_config"} & config.keys()
    names = read_tensors(tmp_path / "base" / "model.safetensors")[0].keys()
    assert all(name.startswith("model.") for name in names)


def test_long_positions_are_compared(tmp_path, bf16):
    """Without YaRN and llama-4 scaling the logits would differ: the comparison above sees both."""
    convert(bf16, tmp_path / "base")
    expected = mlx_logits(tmp_path / "base")
    rope = json.loads((tmp_path / "base" / "config.json").read_text())["rope_parameters"]
    for change in ({"llama_4_scaling_beta": 0.0}, {"rope_type": "default", "type": "default"}):
        edit(tmp_path / "base" / "config.json", rope_parameters=rope | change)
        assert np.abs(mlx_logits(tmp_path / "base") - expected)[40:].max() > 0.01


@pytest.mark.parametrize("kind", ["ministral3", "mistral", "gemma2", "gemma3_text", "qwen3", "llama", "qwen2"])
def test_text_models(tmp_path, kind):
    source = published.text_only(tmp_path / "source", kind)
    assert convert(source, tmp_path / "base", verify=1).passed
    expected = published.logits(source, IDS).numpy()
    np.testing.assert_allclose(mlx_logits(tmp_path / "base"), expected, atol=1e-3, rtol=0)


def test_bf16_is_kept_bit_for_bit(tmp_path, bf16):
    report = convert(bf16, tmp_path / "base", dtype="bfloat16", verify=1)
    assert report.exact
    ours = read_tensors(tmp_path / "base" / "model.safetensors")[0]
    theirs = {name: weight for name, weight in published.stored(bf16).items() if name.startswith("language_model.")}
    assert len(ours) == len(theirs)
    for name, weight in theirs.items():
        bits = np.array(ours[name.removeprefix("language_model.")].view(mx.uint16))
        np.testing.assert_array_equal(bits, weight.view(torch.uint16).numpy())


@pytest.mark.parametrize(("q_bits", "down_proj_bits"), [(8, None), (6, 16), (4, 8)])
def test_quantised(tmp_path, bf16, q_bits, down_proj_bits):
    options = {"dtype": "bfloat16", "q_bits": q_bits, "down_proj_bits": down_proj_bits}
    report = convert(bf16, tmp_path / "base", **options, verify=1)
    assert 1e-3 < report.logits.rms_relative < report.bound["rms_relative"] < 1
    model, _ = load_model(tmp_path / "base")
    tokenizer = load_tokenizer(tmp_path / "base")  # mlx-lm's own fails where mistral-common is installed
    block = model.model.layers[0]
    assert block.self_attn.q_proj.bits == q_bits
    if down_proj_bits == 16:
        assert type(block.mlp.down_proj) is nn.Linear
    else:
        assert block.mlp.down_proj.bits == (down_proj_bits or q_bits)
    assert list(stream_generate(model, tokenizer, prompt=IDS[:5], max_tokens=2))


def test_fp8_rounded_to_bf16_is_within_its_bound(tmp_path):
    report = convert(published.fp8(tmp_path / "source"), tmp_path / "base", dtype="bfloat16", verify=1)
    assert not report.exact
    assert 0 < report.logits.rms_relative < report.bound["rms_relative"] < 0.05


def test_report_beside_the_weights(tmp_path, bf16):
    convert(bf16, tmp_path / "base", verify=1)
    report = json.loads((tmp_path / "base" / "base_conversion.json").read_text())
    assert report["parity"]["passed"] is True
    assert report["dropped_parameters"] > 0
    written = {path.name for path in (tmp_path / "base").iterdir()} - {"base_conversion.json"}
    assert report["result"].keys() == written
    for folder, hashes in ((bf16, report["source"]), (tmp_path / "base", report["result"])):
        for name, digest in hashes.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert len([name for name in report["source"] if name.endswith(".safetensors")]) > 3


def test_is_a_base_for_thoth(tmp_path, bf16):
    convert(bf16, tmp_path / "fp32")
    convert(bf16, tmp_path / "q4", dtype="bfloat16", q_bits=4)
    model = load_model(tmp_path / "q4")[0]
    info = describe(model)
    assert (info.model_type, info.hidden_size, info.num_layers) == ("ministral3", 64, 3)
    assert fingerprint(model) == fingerprint(load_model(tmp_path / "fp32")[0])
    assert [features.shape for _, features in layer_features(model, mx.array([IDS]))] == [(1, 100, 64)] * 3
    before = mlx_logits(tmp_path / "q4")
    model.set_dtype(mx.float32)
    a, b = mx.random.normal((3, 2, 128)), mx.random.normal((3, 2, 64))
    attach(model, Adapter({"down_proj": a}, {"down_proj": b}, 1.0))
    assert np.abs(np.array(model(mx.array([IDS]))[0]) - before).max() > 0.1
    detach(model)
    np.testing.assert_array_equal(np.array(model(mx.array([IDS]))[0]), before)


@pytest.mark.parametrize("declared", ["as saved", "nowhere", "by the wrapper alone"])
def test_head_of_its_own(tmp_path, declared):
    """As in Ministral-3-8B: an `lm_head.weight` is stored, whatever the configuration says or leaves out."""
    source = published.wrapper(tmp_path / "source", tie_word_embeddings=False)
    assert "language_model.lm_head.weight" in published.stored(source)
    config = json.loads((source / "config.json").read_text())
    if declared != "as saved":
        del config["tie_word_embeddings"], config["text_config"]["tie_word_embeddings"]
    if declared == "by the wrapper alone":
        config["tie_word_embeddings"] = True
    (source / "config.json").write_text(json.dumps(config))
    assert convert(source, tmp_path / "base", verify=1).passed
    assert json.loads((tmp_path / "base" / "config.json").read_text())["tie_word_embeddings"] is False


def test_tied_embeddings_that_nobody_declares(tmp_path, bf16):
    source = Path(shutil.copytree(bf16, tmp_path / "source"))
    config = json.loads((source / "config.json").read_text())
    del config["tie_word_embeddings"], config["text_config"]["tie_word_embeddings"]
    (source / "config.json").write_text(json.dumps(config))
    assert convert(source, tmp_path / "base", verify=1).passed


def test_context_ends_where_the_sliding_window_does(tmp_path):
    source = published.text_only(tmp_path / "source", "mistral", sliding_window=64)
    report = convert(source, tmp_path / "base", verify=1)
    assert "64 of 512 tokens" in report.table()
    assert json.loads((tmp_path / "base" / "config.json").read_text())["max_position_embeddings"] == 64


def test_shards_and_index(tmp_path, bf16, monkeypatch):
    def in_three(weights):
        names = list(weights)
        return [{name: weights[name] for name in names[i::3]} for i in range(3)]

    monkeypatch.setattr("mlx_lm.utils.make_shards", in_three)
    assert convert(bf16, tmp_path / "base", verify=1).passed
    index = json.loads((tmp_path / "base" / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == {path.name for path in (tmp_path / "base").glob("model-*.safetensors")}


def refused(error, words, source, tmp_path, **options) -> None:
    """The conversion fails with `words` in one line, and nothing is left."""
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=words) as caught:
        convert(source, tmp_path / "refused", **options)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_weights_that_do_not_fit_are_all_named(tmp_path, bf16):
    source = Path(shutil.copytree(bf16, tmp_path / "source"))
    weights = published.stored(source)
    prefix = "language_model.model.layers.0."
    weights[f"{prefix}extra"] = weights.pop(f"{prefix}mlp.up_proj.weight")
    weights["language_model.model.norm.weight"] = torch.ones(3)
    published.rewrite(source, weights)
    words = r"missing model.*up_proj.weight; unknown model.layers.0.extra; wrong shape: model.norm.weight is \(3,\)"
    refused(CheckpointError, words, source, tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quantization": {"bits": 4, "group_size": 64}}, "already a quantised MLX model"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised by gptq: start from"),
        ({"quantization_config": published.FP8_CONFIG | {"weight_block_size": [128]}}, "weight_block_size"),
        ({"model_type": "phi3"}, "is a phi3: bases can be ministral3"),
        ({"model_type": "mistral3", "text_config": {"model_type": "mistral4"}}, "is a mistral4"),
        ({"text_config": {"model_type": "ministral3", "hidden_size": "wide"}}, "hidden_size in config.json must be"),
        ({"text_config": {"model_type": "ministral3", "num_hidden_layers": 10**9}}, "num_hidden_layers in config.json"),
        ({"text_config": {"model_type": "ministral3", "num_attention_heads": 0}}, "num_attention_heads in config.json"),
        ({"text_config": {"model_type": "ministral3", "model_file": "own.py"}}, "code of its own by model_file"),
        ({"text_config": {"model_type": "ministral3", "rope_parameters": [1]}}, "transformers cannot read"),
        ({"text_config": {"model_type": "ministral3", "rope_parameters": {"rope_theta": 1.0}}}, "llama_4_scaling_beta"),
    ],
)
def test_configurations_that_are_refused(tmp_path, bf16, changes, words):
    source = Path(shutil.copytree(bf16, tmp_path / "source"))
    edit(source / "config.json", **changes)
    refused(CheckpointError, words, source, tmp_path)


@pytest.mark.parametrize("bits", [{"q_bits": 5}, {"down_proj_bits": 8}, {"q_bits": 8, "down_proj_bits": 6}])
def test_bits_that_are_refused(tmp_path, bf16, bits):
    refused(ConversionError, "bits", bf16, tmp_path, **bits)


def test_numbers_too_large_for_the_dtype(tmp_path, bf16):
    source = Path(shutil.copytree(bf16, tmp_path / "source"))
    weights = published.stored(source)
    weights["language_model.model.norm.weight"] += 1e6
    published.rewrite(source, weights)
    refused(ConversionError, "model.norm.weight .* not finite in float16", source, tmp_path, dtype="float16")


def test_a_base_that_cannot_be_computed_with_is_explained(tmp_path, bf16, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("of heads")

    monkeypatch.setattr("convert.base.model.torch_logits", fail)
    refused(CheckpointError, "cannot be computed with .ZeroDivisionError: of heads", bf16, tmp_path, verify=1)


def test_disagreement_leaves_nothing(tmp_path, bf16, monkeypatch):
    monkeypatch.setattr("convert.base.parity.MAX_ABSOLUTE", 0.0)
    refused(ConversionError, "disagree", bf16, tmp_path, verify=1)


def test_too_little_memory_to_compare(tmp_path, bf16, monkeypatch):
    monkeypatch.setattr("convert.base.parity.free_memory", lambda: 1000)
    report = convert(bf16, tmp_path / "base", verify=1)
    assert report.logits is None
    assert "not compared" in report.table()
    assert json.loads((tmp_path / "base" / "base_conversion.json").read_text())["parity"]["passed"] is None


def test_torch_is_only_needed_to_compare(tmp_path, bf16):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from convert.base.model import convert_base\n"
        "from convert.base.options import BaseOptions\n"
        f"paths = Path({str(bf16)!r}), Path({str(tmp_path / 'base')!r})\n"
        "convert_base(*paths, BaseOptions(dtype='bfloat16', q_bits=8))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], capture_output=True)
    assert (tmp_path / "base" / "model.safetensors").is_file()
