"""Safetensors: what is written one by one reads like any other; a file that lies is refused before it is believed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import mlx.core as mx
import numpy as np
import pytest
from safetensors import safe_open

from mlx_hypernet import storage
from mlx_hypernet.storage import DamagedFileError, open_tensors, read_header, read_tensors, write_stream, write_tensors

TENSORS = {
    "half": mx.arange(6, dtype=mx.float16).reshape(2, 3),
    "brain": mx.arange(5, dtype=mx.bfloat16),
    "single": mx.arange(12, dtype=mx.float32).reshape(3, 4).T,
    "packed": mx.array([7, 8], dtype=mx.uint32),
    "scalar": mx.array(2.5),
    "empty": mx.zeros((0, 4)),
}
LAYOUT = {name: (tensor.shape, tensor.dtype) for name, tensor in TENSORS.items()}


def test_stream_in_any_order_equals_a_whole_file(tmp_path):
    write_stream(tmp_path / "x.safetensors", LAYOUT, reversed(TENSORS.items()), {"who": "me"})
    tensors, metadata = read_tensors(tmp_path / "x.safetensors")
    assert metadata == {"format": "mlx", "who": "me"}
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert mx.array_equal(tensors[name], tensor)
    # and another implementation reads the same
    with safe_open(tmp_path / "x.safetensors", framework="numpy") as file:
        np.testing.assert_array_equal(file.get_tensor("single"), np.array(TENSORS["single"]))


@pytest.mark.parametrize(
    "parts",
    [
        [("half", TENSORS["half"])],
        [*TENSORS.items(), ("half", TENSORS["half"])],
        [*TENSORS.items(), ("other", TENSORS["half"])],
        [(name, tensor.astype(mx.float32)) for name, tensor in TENSORS.items()],
    ],
    ids=["missing", "twice", "unknown", "other dtype"],
)
def test_stream_that_breaks_its_layout_leaves_nothing(tmp_path, parts):
    with pytest.raises(ValueError, match=r"x\.safetensors"):
        write_stream(tmp_path / "x.safetensors", LAYOUT, parts)
    assert list(tmp_path.iterdir()) == []


def test_header(tmp_path):
    write_tensors(tmp_path / "x.safetensors", TENSORS)
    header = read_header(tmp_path / "x.safetensors")
    assert (header["brain"].dtype, header["brain"].shape) == ("BF16", (5,))


def _rewritten(path, change):
    """The file with another header; its length is told truly unless `change` returns bytes."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    new = change(header)
    path.write_bytes(new + data[8:] if new else _encode(header) + data[8 + length :])


def _encode(header):
    encoded = json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded


def _length(value):
    return lambda header: value.to_bytes(8, "little")


def _offsets(begin, end):
    def change(header):
        header["half"]["data_offsets"] = [begin, end]

    return change


def _shape(header):
    header["half"]["shape"] = [2, 3_000_000_000]


LIES = {
    "header longer than the file": _length(10**6),
    "header of exabytes": _length(2**62),
    "header cut": _length(20),
    "no header": _length(0),
    "offsets beyond the end": _offsets(0, 10**9),
    "offsets backwards": _offsets(12, 0),
    "overlap": _offsets(4, 16),
    "shape beyond its bytes": _shape,
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("read", [read_header, open_tensors, read_tensors])
def test_lying_header_is_refused(tmp_path, lie, read):
    path = tmp_path / "x.safetensors"
    write_tensors(path, TENSORS)
    _rewritten(path, LIES[lie])
    with pytest.raises(DamagedFileError, match="damaged"):
        read(path)


def test_more_tensors_than_any_model_has_are_not_listed(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    write_tensors(path, TENSORS)
    monkeypatch.setattr(storage, "_MOST_TENSORS", len(TENSORS))
    assert read_header(path).keys() == TENSORS.keys()
    monkeypatch.setattr(storage, "_MOST_TENSORS", len(TENSORS) - 1)
    with pytest.raises(DamagedFileError, match="more than"):
        read_header(path)


def test_truncated_and_missing(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, TENSORS)
    path.write_bytes(path.read_bytes()[:-1])
    for file in (path, tmp_path / "y.safetensors"):
        with pytest.raises(DamagedFileError, match="damaged"):
            read_tensors(file)


def test_a_thread_that_may_not_use_mlx_does_not_call_a_file_damaged(tmp_path):
    write_tensors(tmp_path / "x.safetensors", TENSORS)

    def read():
        mx.eval(mx.zeros(1))
        mx.clear_streams()
        read_tensors(tmp_path / "x.safetensors")

    with ThreadPoolExecutor(1) as thread, pytest.raises(RuntimeError) as error:
        thread.submit(read).result()
    assert not isinstance(error.value, DamagedFileError)
