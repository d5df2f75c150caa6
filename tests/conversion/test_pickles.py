"""Pickled checkpoints: whatever would run is refused by name, before it could."""

import os
import pickle
import struct
import zipfile

import pytest
import torch

from convert.errors import CheckpointError
from convert.pickles import load
from tests.conversion.command import fails


class Runs:
    """Unpickled freely, this calls a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def write(path, data, form, protocol):
    payload = pickle.dumps(data, protocol=protocol)
    if form == "pickle":
        path.write_bytes(payload)
    elif form == "legacy":
        head = b"".join(pickle.dumps(value, protocol=2) for value in (0x1950A86A20F9469CFC6C, 1001, {}))
        path.write_bytes(head + payload + pickle.dumps([], protocol=2))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", payload)
            archive.writestr("archive/version", "3\n")


def nested(payload):
    """Where a reader that looks only at the surface would not see it."""
    return {"head.weight": [{"deep": ({"deeper": {1: payload}}, 2)}], "hypernet_config": None}


@pytest.mark.parametrize("form", ["zip", "pickle", "legacy"])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("place", [lambda payload: {"head.weight": payload}, nested, lambda payload: payload])
def test_what_would_run_is_refused_by_name(tmp_path, form, protocol, place):
    path, marker = tmp_path / "pytorch_model.bin", tmp_path / "ran"
    write(path, place(Runs(os.system, f"touch {marker}")), form, protocol)
    with pytest.raises(CheckpointError, match=f"{os.system.__module__}.system"):
        load(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (Runs(eval, "1"), "builtins.eval"),
        (Runs(getattr, "a", "upper"), "builtins.getattr"),
        (Runs(__import__, "os"), "builtins.__import__"),
        (Runs(torch.load, "x"), "torch.serialization.load"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_harmless_looking_names_too(tmp_path, payload, name, protocol):
    path = tmp_path / "pytorch_model.bin"
    write(path, {"a": payload}, "zip", protocol)
    with pytest.raises(CheckpointError, match=name):
        load(path)


def test_all_names_are_given_at_once(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    write(path, [Runs(eval, "1"), Runs(os.system, "true")], "zip", 2)
    with pytest.raises(CheckpointError, match=r"builtins.eval.*\.system"):
        load(path)


def test_a_second_pickle_in_the_archive_is_seen(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.zeros(3)}, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/data.pkl", pickle.dumps(Runs(os.system, "true"), protocol=2))
    with pytest.raises(CheckpointError, match="system"):
        load(path)


def test_through_the_command(tmp_path):
    path, marker = tmp_path / "pytorch_model.bin", tmp_path / "ran"
    write(path, nested(Runs(os.system, f"touch {marker}")), "zip", 2)
    fails(5, f"{os.system.__module__}.system", path, tmp_path / "bundle")
    assert not marker.exists()


@pytest.mark.parametrize("keep", [0, 3, 100, 3000, -30])
@pytest.mark.parametrize("zipped", [True, False])
def test_truncated(tmp_path, keep, zipped):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.zeros(999)}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="damaged"):
        load(path)


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_damaged_anywhere(tmp_path, step):
    """A byte turned over somewhere in the pickle is refused or read, and never another kind of error."""
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.zeros(3), "b": {"c": (1, "d")}}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    name = next(name for name in entries if name.endswith("data.pkl"))
    for position in range(0, len(entries[name]), step):
        damaged = bytearray(entries[name])
        damaged[position] ^= 0x15
        with zipfile.ZipFile(path, "w") as archive:
            for entry, data in entries.items():
                archive.writestr(entry, bytes(damaged) if entry == name else data)
        try:
            load(path)
        except CheckpointError:
            continue


def test_not_a_checkpoint(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    with pytest.raises(CheckpointError, match="does not exist"):
        load(path)
    torch.save([torch.zeros(3)], path)
    with pytest.raises(CheckpointError, match="no dict"):
        load(path)
    write(path, {"a": 1}, "pickle", 2)
    with pytest.raises(CheckpointError, match="damaged or no checkpoint"):
        load(path)
    path.write_bytes(b"PK\x03\x04" + struct.pack("<8Q", *range(8)))
    with pytest.raises(CheckpointError, match="damaged"):
        load(path)


def test_tensors_stay_on_disk_and_old_files_are_read(tmp_path):
    for zipped in (True, False):
        path = tmp_path / f"{zipped}.bin"
        torch.save({"a": torch.arange(3.0), "b": {"x"}}, path, _use_new_zipfile_serialization=zipped)
        data = load(path)
        assert data["a"].tolist() == [0, 1, 2]
        assert data["b"] == {"x"}
