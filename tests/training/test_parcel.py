"""Bases and files in parts: what comes out is what went in, bit for bit, or an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tests.training import tiny_run
from torch_train.errors import DataError
from torch_train.model.fingerprint import base_fingerprint
from torch_train.parcel import blocks, halves, parcel
from torch_train.parcel.__main__ import main
from torch_train.training import checkpoint


def _q4_1(rows: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    numbers = draw.integers(0, 16, (rows, 2, blocks.BLOCK))
    numbers[:, :, 0], numbers[:, :, 1] = 0, 15  # ggml's quantiser takes scale and offset from a block's ends
    scales = (draw.random((rows, 2, 1)) * 0.01).astype(np.float16).astype(np.float32)
    offsets = (-draw.random((rows, 2, 1))).astype(np.float16).astype(np.float32)
    return (scales * numbers.astype(np.float32) + offsets).reshape(rows, -1)


def _q8_0(rows: int) -> np.ndarray:
    draw = np.random.default_rng(1)
    numbers = draw.integers(-127, 128, (rows, 2, blocks.BLOCK))
    numbers[:, :, 0] = 127
    scales = (draw.random((rows, 2, 1)) * 0.01).astype(np.float16).astype(np.float32)
    return (scales * numbers.astype(np.float32)).reshape(rows, -1)


@pytest.mark.parametrize(
    ("scheme", "tensor", "bits"),
    [
        ("q4_1", _q4_1(256), 5.5),
        ("q8_0", _q8_0(256), 9),
        ("q4_1", np.zeros((64, 64), np.float32), 1),
        ("plain", np.random.default_rng(2).normal(size=(8, 64)).astype(np.float32), 40),
        ("plain", np.arange(7, dtype=np.float32), 60),
        ("plain", np.array([[1, -0.0]] * 32, np.float32).T, 60),  # the sign of a zero is a bit too
    ],
)
def test_a_tensor_comes_back_bit_for_bit(scheme: str, tensor: np.ndarray, bits: float) -> None:
    packed = blocks.pack(tensor)
    assert packed.scheme == scheme
    assert 8 * sum(map(len, packed.streams)) / tensor.size < bits
    found = blocks.unpack(packed)
    assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
    assert np.array_equal(found.view(np.uint32), tensor.view(np.uint32))


def test_one_wrong_weight_is_not_rounded_away() -> None:
    tensor = _q4_1(64)
    tensor[3, 40] = np.nextafter(tensor[3, 40], np.float32(1), dtype=np.float32)
    assert blocks.pack(tensor).scheme == "plain"


def test_a_base_and_files_travel_in_parts(tmp_path: Path, words_folder: Path) -> None:
    base = tiny_run.save_base(tmp_path / "base", words_folder, "llama")
    (tmp_path / "notes.txt").write_text("the boat leaves at noon\n" * 40)
    room = 50_000
    arguments = ["pack", "--base", str(base), "--room", str(room / 1e6), str(tmp_path / "parcel")]
    main([*arguments, f"data/notes.txt={tmp_path / 'notes.txt'}"])
    parts = sorted(path.name for path in (tmp_path / "parcel").iterdir())
    assert len(parts) > 2
    assert all((tmp_path / "parcel" / part / "part").stat().st_size <= room for part in parts)
    main(["unpack", str(tmp_path / "parcel"), str(tmp_path / "out")])
    assert (tmp_path / "out" / "data" / "notes.txt").read_text() == "the boat leaves at noon\n" * 40
    assert base_fingerprint(tmp_path / "out" / "base") == base_fingerprint(base)
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "out" / "base"))
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_missing_and_damaged_parts_are_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(np.random.default_rng(0).bytes(9000))
    parts = parcel.pack({"a": tmp_path / "a"}, tmp_path / "parcel", 4000)
    held = (parts[1] / "part").read_bytes()
    (parts[1] / "part").write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    with pytest.raises(DataError, match="2/part is damaged"):
        parcel.unpack(tmp_path / "parcel", tmp_path / "out")
    (parts[1] / "part").unlink()
    with pytest.raises(DataError, match=r"2/part is missing: .*3 parts in all"):
        parcel.unpack(tmp_path / "parcel", tmp_path / "out")


def test_a_parcel_writes_nothing_outside(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    parcel.pack({"../b": tmp_path / "a"}, tmp_path / "parcel", 4000)
    with pytest.raises(DataError, match="refused"):
        parcel.unpack(tmp_path / "parcel", tmp_path / "out")
    assert not (tmp_path / "b").exists()


def test_weights_in_halves_are_a_checkpoint(whole: Path, tmp_path: Path) -> None:
    last = checkpoint.checkpoints(whole)[-1]
    halves.write_halves(last, tmp_path / "half")
    full, half = checkpoint.load_hypernet(last), checkpoint.load_hypernet(tmp_path / "half")
    for (name, one), other in zip(full.named_parameters(), half.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6, msg=name)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (last, tmp_path / "half")]
    assert sizes[1] < 0.7 * sizes[0]
    assert (tmp_path / "half" / "config.json").read_bytes() == (last / "config.json").read_bytes()
