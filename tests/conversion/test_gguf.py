"""GGUF files to bases: the logits that transformers computes, for every type and architecture."""

from __future__ import annotations

import json
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
import torch
from gguf import GGUFReader
from gguf.constants import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from mlx_lm import load, stream_generate
from mlx_lm.utils import load_model
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from convert.base.options import BaseOptions
from convert.base.parity import BaseReport
from convert.errors import CheckpointError, ConversionError
from convert.gguf.header import read_header
from convert.gguf.model import convert_gguf
from convert.gguf.packed import PACKINGS, repack
from convert.gguf.tensors import read_values
from mlx_hypernet.encoder import layer_features
from mlx_hypernet.fingerprint import describe
from mlx_hypernet.storage import read_tensors
from tests.conversion import gguf_files
from tests.conversion.command import converts, fails
from tests.conversion.gguf_files import ARCHITECTURES, K_QUANTS, TYPES, Gguf
from tests.conversion.published import stored

IDS = [(7 * i) % 250 for i in range(100)]
FEW = 12  # of them where positions do not matter: MLX multiplies kept blocks slowly on a CPU


def convert(source: Path, destination: Path, **options) -> BaseReport:
    keep = options.pop("keep", False)
    return convert_gguf(source, destination, BaseOptions(**{"dtype": "float32"} | options), keep=keep)


def mlx_logits(folder: Path, tokens: int = len(IDS)) -> np.ndarray:
    model = load_model(folder)[0]
    model.set_dtype(mx.float32)
    return np.array(model(mx.array([IDS[:tokens]]))[0])


def torch_logits(model: torch.nn.Module, tokens: int = len(IDS)) -> np.ndarray:
    with torch.no_grad():
        return model.eval()(torch.tensor([IDS[:tokens]])).logits[0].numpy()


def transformers_reading(file: Path) -> np.ndarray:
    """What transformers makes of the file by itself."""
    return torch_logits(AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32))


def known_values(file: Gguf, tokens: int = len(IDS), **config) -> np.ndarray:
    """The model the test wrote, with the values and the configuration it wrote."""
    settings = CONFIG_MAPPING[file.config["model_type"]].from_dict(file.config | config)
    model = AutoModelForCausalLM.from_config(settings)
    missing, unexpected = model.load_state_dict(
        {name: torch.from_numpy(values.copy()) for name, values in file.state.items()}, strict=False
    )
    assert not unexpected
    assert set(missing) <= {"lm_head.weight"}
    model.tie_weights()
    return torch_logits(model.float(), tokens)


def every_type_and_architecture():
    """All pairs. Types are read alike for every architecture, so the fast tier has each of both once."""
    for model in ARCHITECTURES:
        for kind in TYPES:
            fast = model == "llama" or kind == "Q4_K"
            yield pytest.param(model, kind, marks=() if fast else pytest.mark.slow)


@pytest.mark.parametrize(("model", "kind"), every_type_and_architecture())
def test_logits_of_every_type_and_architecture(tmp_path, model, kind):
    file = gguf_files.write(tmp_path / "file.gguf", model, kind, pre="llama" if model == "mistral" else "smollm")
    convert(file.path, tmp_path / "base")
    ours = mlx_logits(tmp_path / "base")
    assert np.abs(ours).max() > 1
    np.testing.assert_allclose(ours, known_values(file), atol=1e-3, rtol=0)
    if model != "ministral3":  # transformers reads none from GGUF
        np.testing.assert_allclose(ours, transformers_reading(file.path), atol=1e-3, rtol=0)
    # The same folder in transformers, which the trainer loads.
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32)
    np.testing.assert_allclose(ours, torch_logits(again), atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", [kind.name for kind in PACKINGS])
def test_blocks_are_kept_bit_for_bit(tmp_path, kind):
    file = gguf_files.write(tmp_path / "file.gguf", "llama", kind)
    report = convert(file.path, tmp_path / "base", dtype="float16", keep=True, verify=1)
    assert report.logits.max_absolute < 1e-3
    assert "kept as quantised: 15 matrices" in report.table()
    np.testing.assert_allclose(mlx_logits(tmp_path / "base", FEW), known_values(file, FEW), atol=1e-3, rtol=0)
    # The matrices take what they take in the file.
    size = sum(tensor.size for tensor in read_header(file.path).tensors.values() if len(tensor.shape) == 2)
    ours = read_tensors(tmp_path / "base" / "model.safetensors")[0]
    assert sum(array.nbytes for name, array in ours.items() if "norm" not in name) <= size * 18 / 17 * 1.06


@pytest.mark.parametrize("kind", PACKINGS, ids=lambda kind: kind.name)
def test_repacked_blocks_dequantise_to_the_same_numbers(kind):
    values = np.random.default_rng(1).standard_normal((5, 96)).astype(np.float32)
    blocks = quantize(values, kind)
    packed, scales, biases = repack(blocks, kind)
    ours = mx.dequantize(
        packed, scales.astype(mx.float32), biases.astype(mx.float32), group_size=32, bits=PACKINGS[kind].bits
    )
    np.testing.assert_array_equal(np.array(ours), dequantize(blocks, kind))


@pytest.mark.parametrize("kind", K_QUANTS)
def test_k_quants_against_another_implementation(kind):
    torchs = pytest.importorskip("transformers.integrations.gguf.dequant")
    number = GGMLQuantizationType[kind]
    blocks = gguf_files.random_blocks(np.random.default_rng(2), 6, 512, number)
    ours = dequantize(blocks, number)
    theirs = torchs.dequantize(torch.from_numpy(blocks.reshape(-1)), number.value).numpy()
    np.testing.assert_allclose(ours.reshape(-1), theirs, atol=1e-6, rtol=0)
    assert 0.01 < ours.std() < 0.2


def test_mixed_types(tmp_path):
    """As published files are: K-quants, and what they cannot hold in others."""
    file = gguf_files.write(tmp_path / "file.gguf", "llama", "Q4_1", types={"token_embd": "Q8_0", "ffn_down": "Q6_K"})
    report = convert(file.path, tmp_path / "base", dtype="float32", keep=True, verify=1)
    assert "1 matrices at 8 bits, 12 matrices at 4 bits" in report.table()
    np.testing.assert_allclose(mlx_logits(tmp_path / "base", FEW), known_values(file, FEW), atol=1e-3, rtol=0)
    names = read_tensors(tmp_path / "base" / "model.safetensors")[0].keys()
    assert "model.layers.0.mlp.down_proj.scales" not in names
    assert "model.layers.0.mlp.up_proj.scales" in names
    model, tokenizer = load(str(tmp_path / "base"))
    assert list(stream_generate(model, tokenizer, prompt=IDS[:5], max_tokens=2))
    info = describe(model)
    assert (info.model_type, info.hidden_size, info.num_layers) == ("llama", 256, 2)
    model.set_dtype(mx.float32)
    assert [features.shape for _, features in layer_features(model, mx.array([IDS]))] == [(1, 100, 256)] * 2


@pytest.mark.parametrize("model", ["llama", "ministral3"])
def test_head_of_its_own(tmp_path, model):
    file = gguf_files.write(tmp_path / "file.gguf", model, "Q8_0", tied=False)
    convert(file.path, tmp_path / "base", keep=True)
    np.testing.assert_allclose(mlx_logits(tmp_path / "base", FEW), known_values(file, FEW), atol=1e-3, rtol=0)
    assert json.loads((tmp_path / "base" / "config.json").read_text())["tie_word_embeddings"] is False


def test_biases_are_permuted_too(tmp_path):
    file = gguf_files.write(tmp_path / "file.gguf", "llama", "F32", bias=True)
    convert(file.path, tmp_path / "base")
    expected = known_values(file, attention_bias=True)
    np.testing.assert_allclose(mlx_logits(tmp_path / "base"), expected, atol=1e-3, rtol=0)


SCALINGS = {
    "linear": ({"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}, {"rope_type": "linear", "factor": 4.0}),
    "yarn": (
        {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 64},
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
    ),
}


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("model", ["llama", "qwen2", "qwen3"])
def test_rope_scaling(tmp_path, model, scaling):
    stated, expected = SCALINGS[scaling]
    keys = {f"{{arch}}.{key}": value for key, value in stated.items()}
    file = gguf_files.write(tmp_path / "file.gguf", model, "F32", keys=keys)
    report = convert(file.path, tmp_path / "base", verify=1)
    assert "transformers ignores RoPE scaling" in report.table()
    rope = expected | {"rope_theta": gguf_files.THETA}
    ours = mlx_logits(tmp_path / "base")
    np.testing.assert_allclose(ours, known_values(file, rope_parameters=rope), atol=1e-3, rtol=0)
    assert np.abs(ours - known_values(file)).max() > 0.01


def llama3_factors(factor: float) -> np.ndarray:
    """Factors of the wavelengths, from transformers' own Llama 3 scaling."""
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    rope = {"rope_type": "llama3", "rope_theta": gguf_files.THETA, "factor": factor, "low_freq_factor": 1.0}
    rope |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    config = LlamaConfig(head_dim=64, rope_parameters=rope)
    scaled = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")[0].numpy()
    return 1 / gguf_files.THETA ** (np.arange(0, 64, 2) / 64) / scaled


def test_llama_3_scaling(tmp_path):
    file = gguf_files.write(tmp_path / "file.gguf", "llama", "F32", rope_factors=llama3_factors(8.0))
    convert(file.path, tmp_path / "base", verify=1)
    rope = {"rope_type": "llama3", "rope_theta": gguf_files.THETA, "factor": 8.0, "low_freq_factor": 1.0}
    rope |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    expected = known_values(file, rope_parameters=rope)
    np.testing.assert_allclose(mlx_logits(tmp_path / "base"), expected, atol=1e-3, rtol=0)
    assert json.loads((tmp_path / "base" / "config.json").read_text())["rope_scaling"]["factor"] == pytest.approx(8)


@pytest.mark.parametrize("factors", [np.linspace(1, 8, 32), np.zeros(32), np.full(32, np.inf)], ids=["8", "0", "inf"])
def test_other_rope_factors_are_refused(tmp_path, factors):
    file = gguf_files.write(tmp_path / "file.gguf", "llama", "F32", rope_factors=factors)
    with pytest.raises(CheckpointError, match="not those of Llama 3"):
        convert(file.path, tmp_path / "base")


@pytest.mark.parametrize("kind", ["Q4_K", "F32"])
def test_rounding_is_within_its_bound(tmp_path, kind):
    file = gguf_files.write(tmp_path / "file.gguf", "llama", kind)
    report = convert(file.path, tmp_path / "base", dtype="bfloat16", verify=1)
    assert not report.exact
    assert 0 < report.logits.rms_relative < report.bound["rms_relative"] < 0.05


def test_quantised_anew(tmp_path):
    file = gguf_files.write(tmp_path / "file.gguf", "llama", "Q6_K")
    report = convert(file.path, tmp_path / "base", dtype="bfloat16", q_bits=4, down_proj_bits=8, verify=1)
    assert 1e-3 < report.logits.rms_relative < report.bound["rms_relative"] < 1
    block = load_model(tmp_path / "base")[0].model.layers[0]
    assert (block.self_attn.q_proj.bits, block.mlp.down_proj.bits) == (4, 8)


def test_half_precision_is_kept_bit_for_bit(tmp_path):
    file = gguf_files.write(tmp_path / "file.gguf", "qwen2", "BF16")
    assert convert(file.path, tmp_path / "base", dtype="bfloat16").exact  # the test's norms are bf16 too
    for name, weight in stored(tmp_path / "base").items():
        if weight.ndim == 2:
            np.testing.assert_array_equal(weight.float().numpy(), file.state[name])


def test_report_beside_the_weights(tmp_path):
    file = gguf_files.write(tmp_path / "file.gguf", "llama", "Q4_0")
    convert(file.path, tmp_path / "base", verify=1)
    report = json.loads((tmp_path / "base" / "base_conversion.json").read_text())
    assert report["parity"]["passed"] is True
    assert report["source"].keys() == {"file.gguf"}
    assert {"config.json", "model.safetensors", "tokenizer.json"} < report["result"].keys()


def test_command(tmp_path):
    """Without options a file keeps its blocks; Ollama's files have no ending."""
    gguf_files.write(tmp_path / "file.gguf", "llama", "Q4_0").path.rename(tmp_path / "sha256-1234")
    result = converts(tmp_path / "sha256-1234", tmp_path / "base")
    assert "bound: max_absolute" in result.stdout
    assert "kept as quantised: 15 matrices at 4 bits" in result.stdout
    converts(tmp_path / "sha256-1234", tmp_path / "base", "--dtype", "bfloat16", "--force")
    assert "quantization" not in json.loads((tmp_path / "base" / "config.json").read_text())
    fails(2, "--matcher and what is said of chunks", tmp_path / "sha256-1234", tmp_path / "x", "--prefix-ids", "1")
    fails(1, "exists", tmp_path / "sha256-1234", tmp_path / "base")


def test_disagreement_leaves_nothing(tmp_path, monkeypatch):
    file = gguf_files.write(tmp_path / "file.gguf")
    monkeypatch.setattr("convert.base.parity.MAX_ABSOLUTE", 0.0)
    with pytest.raises(ConversionError, match="disagree"):
        convert(file.path, tmp_path / "base", verify=1)
    assert [path.name for path in tmp_path.iterdir()] == ["file.gguf"]


def test_header_says_what_the_packages_reader_says(tmp_path):
    file = gguf_files.write(tmp_path / "file.gguf", "ministral3", "Q5_K")
    header, reader = read_header(file.path), GGUFReader(file.path)
    assert list(header.tensors) == [tensor.name for tensor in reader.tensors]
    for tensor in reader.tensors:
        ours = header.tensors[tensor.name]
        assert (ours.type, ours.offset, ours.size) == (tensor.tensor_type, tensor.data_offset, tensor.n_bytes)
        assert ours.shape == tuple(reversed(tensor.shape.tolist()))
        values = dequantize(tensor.data, tensor.tensor_type).reshape(ours.shape)
        np.testing.assert_array_equal(read_values(file.path, ours), values)
    for key, field in reader.fields.items():
        if not key.startswith("GGUF."):
            ours = header.metadata[key]
            assert (ours.tolist() if isinstance(ours, np.ndarray) else ours) == field.contents()
