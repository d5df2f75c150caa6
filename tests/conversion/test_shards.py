"""Weights of a Hugging Face folder: complete, inside the folder, or refused with everything that is wrong."""

from __future__ import annotations

import json
import math
import re
import struct
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from convert.base.fp8 import dequantise
from convert.base.shards import find_shards
from convert.errors import CheckpointError
from mlx_hypernet.storage import TensorInfo

A, B = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two shards and their index."""
    path = tmp_path / "model"
    path.mkdir()
    save_file({"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}, path / A)
    save_file({"c": torch.ones(3)}, path / B)
    index(path, {"a": A, "b": A, "c": B})
    return path


def index(folder: Path, places: dict[str, str]) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        find_shards(folder)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


def test_shards(folder):
    shards = find_shards(folder)
    assert shards.tensors["b"] == TensorInfo("BF16", (4,))
    assert [path.name for path in shards.files] == [A, B]
    weights = shards.open()
    assert weights.keys() == {"a", "b", "c"}
    np.testing.assert_array_equal(np.array(weights["a"]), np.arange(6.0).reshape(2, 3))


def test_a_single_file_needs_no_index(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "model.safetensors")
    assert find_shards(tmp_path).open()["a"].tolist() == [1, 1]


def test_nothing_there(tmp_path):
    refused(tmp_path, "neither model.safetensors nor model.safetensors.index.json")


def test_all_faults_at_once(folder):
    data = (folder / A).read_bytes()
    (folder / A).write_bytes(data[:-4])
    index(folder, {"a": A, "b": A, "c": "model-3.safetensors", "d": "../elsewhere.safetensors"})
    refused(folder, f"{folder / A} is missing or damaged", "model-3.safetensors is missing", "'../elsewhere.safetens")


@pytest.mark.parametrize("name", ["../{}", "sub/../../{}", "{folder}/{}", "..", ".", "", "a\\b", "a\0b"])
def test_an_index_that_points_outside(folder, tmp_path, name):
    (tmp_path / B).write_bytes((folder / B).read_bytes())
    index(folder, {"a": A, "b": A, "c": name.format(B, folder=tmp_path)})
    refused(folder, repr(name.format(B, folder=tmp_path)))


def test_a_link_that_leads_outside(folder, tmp_path):
    (folder / B).rename(tmp_path / B)
    (folder / B).symlink_to(tmp_path / B)
    refused(folder, f"'{B}' leads out of")


def test_a_snapshot_of_the_hubs_cache(folder, tmp_path):
    repository = tmp_path / "models--owner--name"
    snapshot = repository / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for i, path in enumerate(sorted(folder.iterdir())):
        path.rename(repository / "blobs" / str(i))
        (snapshot / path.name).symlink_to(Path("..") / ".." / "blobs" / str(i))
    assert find_shards(snapshot).open()["c"].tolist() == [1, 1, 1]
    (tmp_path / "secret").write_bytes((snapshot / B).read_bytes())
    (snapshot / B).unlink()
    (snapshot / B).symlink_to(tmp_path / "secret")
    refused(snapshot, "leads out of")


@pytest.mark.parametrize("length", [0, 5, 1 << 20, (1 << 64) - 1])
def test_a_header_that_lies_about_its_length(folder, length):
    data = (folder / A).read_bytes()
    (folder / A).write_bytes(struct.pack("<Q", length) + data[8:])
    refused(folder, str(folder / A), "damaged")


def test_offsets_beyond_the_file(folder):
    header = json.dumps({"c": {"dtype": "F32", "shape": [1 << 20], "data_offsets": [0, 4 << 20]}}).encode()
    (folder / B).write_bytes(struct.pack("<Q", len(header)) + header + b"1234")
    refused(folder, str(folder / B), "damaged")


def test_tensors_that_are_elsewhere_or_twice(folder):
    save_file({"a": torch.ones(3)}, folder / B)
    refused(folder, "tensors that their shards do not hold: c", "several shards hold a")


def test_an_index_with_a_name_twice(folder):
    text = (folder / "model.safetensors.index.json").read_text()
    (folder / "model.safetensors.index.json").write_text(text.replace('"b":', f'"a": "{B}", "b":'))
    refused(folder, "the index names twice: a")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 3}}'])
def test_no_index_at_all(folder, text):
    (folder / "model.safetensors.index.json").write_text(text)
    refused(folder, "model.safetensors.index.json is ")


def fp8_file(folder: Path, **tensors: torch.Tensor) -> tuple[dict[str, mx.array], dict[str, TensorInfo]]:
    save_file({name.replace("_", ".", 1): tensor for name, tensor in tensors.items()}, folder / "model.safetensors")
    shards = find_shards(folder)
    return shards.open(), shards.tensors


def test_every_fp8_byte(tmp_path):
    numbers = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).reshape(2, 128)
    scale = torch.tensor(0.0123, dtype=torch.bfloat16)
    weights, tensors = fp8_file(tmp_path, x_weight=numbers, x_weight_scale_inv=scale, x_activation_scale=scale.clone())
    resolved = dequantise(weights, tensors, None)
    assert resolved.keys() == {"x.weight"}
    np.testing.assert_array_equal(np.array(resolved["x.weight"]), (numbers.float() * scale.float()).numpy())
    assert np.isnan(np.array(resolved["x.weight"])).sum() == 2  # 0x7f and 0xff, and nothing else


@pytest.mark.parametrize("shape", [(256, 128), (200, 130), (5, 300)])
def test_fp8_in_blocks(tmp_path, shape):
    torch.manual_seed(0)
    numbers = torch.randn(shape).to(torch.float8_e4m3fn)
    scale = torch.rand([math.ceil(size / 128) for size in shape])
    weights, tensors = fp8_file(tmp_path, x_weight=numbers, x_weight_scale_inv=scale)
    expected = numbers.float()
    for i in range(shape[0]):
        for j in range(0, shape[1], 128):
            expected[i, j : j + 128] *= scale[i // 128, j // 128]
    ours = dequantise(weights, tensors, (128, 128))["x.weight"]
    np.testing.assert_array_equal(np.array(ours), expected.numpy())


@pytest.mark.parametrize(
    ("scale", "block", "words"),
    [
        (None, None, "x.weight_scale_inv is missing"),
        (torch.ones(2, 2), None, "no weight_block_size"),
        (torch.ones(3, 1), (128, 128), r"is (3, 1), not (2, 1)"),
        (torch.ones(2, 1, dtype=torch.uint8), (128, 128), "is U8"),
    ],
)
def test_fp8_scales_that_do_not_fit(tmp_path, scale, block, words):
    tensors = {"x_weight": torch.zeros(200, 100).to(torch.float8_e4m3fn)}
    weights, infos = fp8_file(tmp_path, **tensors | ({} if scale is None else {"x_weight_scale_inv": scale}))
    with pytest.raises(CheckpointError, match=re.escape(words)):
        dequantise(weights, infos, block)
