"""Headers that lie: refused in one line, before anything of the claimed size is allocated."""

from __future__ import annotations

import random
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from convert.base.options import BaseOptions
from convert.errors import CheckpointError, ConversionError
from convert.gguf.header import read_header
from convert.gguf.metadata import Metadata
from convert.gguf.model import convert_gguf, read_base
from convert.gguf.tokenizer import write_tokenizer
from tests.conversion import gguf_files
from tests.conversion.command import fails

F32, Q4_K, UNSUPPORTED, INT32 = 0, 12, 16, 26  # the third is IQ2_XXS
UINT32, FLOAT32, STRING, ARRAY = 4, 6, 8, 9
HUGE = 10**12


def text(value: bytes | str) -> bytes:
    encoded = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(encoded)) + encoded


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: str = "a", shape=(2, 4), kind: int = F32, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape) + struct.pack("<IQ", kind, offset)


def header(tensors=(), pairs=(), counts=None, version=3, magic=b"GGUF") -> bytes:
    claimed = counts or (len(tensors), len(pairs))
    return magic + struct.pack("<IQQ", version, *claimed) + b"".join(pairs) + b"".join(tensors)


def refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "file.gguf"
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match=words) as caught:
        read_header(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert "\n" not in str(caught.value)


def test_a_small_file(tmp_path):
    path = tmp_path / "file.gguf"
    strings = struct.pack("<IQ", STRING, 2) + text("é") + text("")
    pairs = [pair("name", STRING, text("x")), pair("list", ARRAY, strings), pair("n", UINT32, struct.pack("<I", 7))]
    data = header([tensor(), tensor("b", (3,), offset=32)], pairs)
    path.write_bytes(data + b"\0" * (-len(data) % 32) + bytes(32 + 12))
    file = read_header(path)
    assert file.metadata == {"name": "x", "list": ["é", ""], "n": 7}
    assert file.tensors["a"].shape == (4, 2)
    assert (file.tensors["b"].offset - file.tensors["a"].offset, file.tensors["b"].size) == (32, 12)


PADDED = bytes(4096)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cannot be read"),
        (b"GG", "damaged"),
        (header(magic=b"GGML"), "not a GGUF file"),
        (header(version=1), "version 1"),
        (struct.pack("<4sI", b"GGUF", 3 << 24), "big-endian"),
        (header(counts=(HUGE, 0)), f"claims {HUGE} tensors"),
        (header(counts=(0, HUGE)), f"{HUGE} keys"),
        (header(counts=(90_000, 0)), "announced"),
        (header(counts=(0, 90_000)), "announced"),
        (header(pairs=[struct.pack("<Q", HUGE)]), f"a name of {HUGE} bytes"),
        (header(pairs=[pair("a", STRING, struct.pack("<Q", HUGE))]), f"{HUGE} bytes|name of {HUGE}"),
        (header(pairs=[pair("a", STRING, struct.pack("<Q", 2**64 - 1))]), "damaged"),
        (header(pairs=[pair("a", ARRAY, struct.pack("<IQ", UINT32, HUGE))]) + PADDED, "announced"),
        (header(pairs=[pair("a", ARRAY, struct.pack("<IQ", STRING, HUGE))]) + PADDED, f"claims {HUGE} strings"),
        (header(pairs=[pair("a", ARRAY, struct.pack("<IQIQ", ARRAY, 1, ARRAY, 1))]) + PADDED, "array of type 9"),
        (header(pairs=[pair("a", 77, b"")]) + PADDED, "unknown type 77"),
        (header(pairs=[pair("a", STRING, text(b"\xff\xfe"))]), "not UTF-8"),
        (header(pairs=[pair("a", UINT32, bytes(4))] * 2), "'a' comes twice"),
        (header(pairs=[pair("general.alignment", UINT32, struct.pack("<I", 24))]), "power of two"),
        (header(pairs=[pair("general.alignment", UINT32, bytes(4))]), "power of two"),
        (header(pairs=[pair("general.alignment", STRING, text("32"))]), "power of two"),
        (header([tensor()]), "ends after the file"),
        (header([tensor(offset=HUGE * 32)]) + PADDED, "ends after the file"),
        (header([tensor(offset=2**64 - 32)]) + PADDED, "ends after the file"),
        (header([tensor(shape=(HUGE,))]) + PADDED, "ends after the file"),
        (header([tensor(shape=(2**63, 2**63))]) + PADDED, "ends after the file"),
        (header([tensor(shape=(4, 0))]) + PADDED, "shape"),
        (header([tensor(shape=(4, 1, 1, 1, 1))]) + PADDED, "5 dimensions"),
        (header([tensor(shape=())]) + PADDED, "0 dimensions"),
        (header([tensor(shape=(100,), kind=Q4_K)]) + PADDED, "shape"),
        (header([tensor(offset=8)]) + PADDED, "offset 8"),
        (header([tensor(kind=4)]) + PADDED, "unknown type 4"),
        (header([tensor(), tensor()]) + PADDED, "'a' comes twice"),
        (header([tensor(), tensor("b")]) + PADDED, "overlap: b"),
        (header([tensor(shape=(64,)), tensor("b", offset=32)]) + PADDED, "overlap: b"),
    ],
)
def test_lies(tmp_path, data, words):
    refused(tmp_path, data, words)


def test_every_truncation_is_refused(tmp_path):
    whole = gguf_files.write(tmp_path / "whole.gguf").path.read_bytes()
    path = tmp_path / "file.gguf"
    rng = random.Random(0)
    for length in [1, 4, 23, 24, 100, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(40))]:
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            read_header(path)


@pytest.mark.parametrize("pre", ["smollm", "llama"])
def test_flipped_bytes_are_read_or_refused(tmp_path, pre):
    """Nothing but our own error comes out of a damaged header, configuration or vocabulary."""
    path = gguf_files.write(tmp_path / "file.gguf", pre=pre).path
    start = min(tensor.offset for tensor in read_header(path).tensors.values())
    whole = path.read_bytes()[:start]
    outcomes = {"read": 0, "refused": 0}
    rng = random.Random(0)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 8))):
            damaged[rng.randrange(start)] = rng.choice((0, 1, 9, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        with path.open("r+b") as opened:  # its tensors stay
            opened.write(damaged)
        folder = tmp_path / "folder"
        folder.mkdir(exist_ok=True)
        try:
            file = read_header(path)
            _, config = read_base(file)
            write_tokenizer(Metadata(file), folder, config["vocab_size"], config["max_position_embeddings"])
            outcomes["read"] += 1
        except ConversionError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 30
    assert outcomes["read"] > 30  # many bytes are letters of a vocabulary


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"general.architecture": "gemma2"}, None),
        ({"{arch}.block_count": 3}, "block_count gives 3, the tensors 2"),
        ({"{arch}.block_count": 4_000_000_000}, "not a whole number"),
        ({"{arch}.block_count": "two"}, "not a whole number"),
        ({"{arch}.embedding_length": 128}, "embedding_length gives 128, the tensors 256"),
        ({"{arch}.feed_forward_length": 1}, "feed_forward_length gives 1"),
        ({"{arch}.attention.head_count": 0}, "contradict"),
        ({"{arch}.attention.head_count": 8}, "contradict"),
        ({"{arch}.attention.head_count_kv": 3}, "contradict"),
        ({"{arch}.attention.key_length": 32}, "contradict"),
        ({"{arch}.vocab_size": 7}, "vocab_size gives 7"),
        ({"{arch}.context_length": None}, "lacks llama.context_length"),
        ({"{arch}.attention.layer_norm_rms_epsilon": float("nan")}, "not a number"),
        ({"{arch}.rope.freq_base": 0.5}, "RoPE of base"),
        ({"{arch}.rope.dimension_count": 32}, "on a part of the 64 dimensions"),
        ({"{arch}.rope.scaling.type": "longrope", "{arch}.rope.scaling.factor": 2.0}, "longrope RoPE"),
        ({"{arch}.rope.scaling.type": "yarn"}, "lacks llama.rope.scaling.factor"),
        ({"{arch}.rope.scaling.attn_factor": 2.0}, "attn_factor"),
        ({"{arch}.expert_count": 8}, "mixture of experts"),
        ({"split.count": 3}, "llama-gguf-split"),
    ],
)
def test_metadata_that_is_refused(tmp_path, changes, words):
    path = tmp_path / "file.gguf"
    if words is None:
        gguf_files.write(path)
        path.write_bytes(path.read_bytes().replace(text("llama"), text("gemma"), 1))
        words = "is a gemma: GGUF bases can be llama"
    else:
        gguf_files.write(path, keys=changes)
    fails(5, words, path, tmp_path / "base", "--verify", 0)


def test_tensors_that_do_not_fit_are_all_named(tmp_path):
    path = gguf_files.write(tmp_path / "file.gguf").path
    path.write_bytes(path.read_bytes().replace(b"blk.1.ffn_down.weight", b"blk.1.ffn_gone.weight"))
    fails(5, "tensors that no supported model has: blk.1.ffn_gone.weight", path, tmp_path / "base")
    path.write_bytes(path.read_bytes().replace(b"blk.1.ffn_gone.weight", b"blk.1.attn_q.bias\0\0\0\0"))
    fails(5, "no supported model has", path, tmp_path / "base")
    path.write_bytes(path.read_bytes().replace(b"blk.1.attn_q.bias\0\0\0\0", b"blk.0.ffn_down.weight"))
    fails(5, "'blk.0.ffn_down.weight' comes twice", path, tmp_path / "base")


def test_missing_and_misshapen_tensors(tmp_path):
    path = gguf_files.write(tmp_path / "file.gguf", "qwen3").path
    # A norm of a head in the place of one of the model.
    data = path.read_bytes().replace(b"blk.1.attn_q_norm.weight", b"blk.1.TEMPORARY__.weight")
    path.write_bytes(data)
    fails(5, "no supported model has: blk.1.TEMPORARY__.weight", path, tmp_path / "base")
    other = gguf_files.write(tmp_path / "other.gguf", "llama").path
    other.write_bytes(other.read_bytes().replace(text("llama"), text("qwen2"), 1).replace(b"llama.", b"qwen2."))
    fails(5, "missing model.layers.0.self_attn.k_proj.bias", other, tmp_path / "base")


def test_types_that_are_not_supported(tmp_path):
    path = gguf_files.write(tmp_path / "file.gguf", kind="F16").path
    name = text("blk.0.ffn_up.weight") + struct.pack("<IQQ", 2, 256, 512)
    data = path.read_bytes()
    assert name + struct.pack("<I", 1) in data
    path.write_bytes(data.replace(name + struct.pack("<I", 1), name + struct.pack("<I", UNSUPPORTED)))
    fails(5, "holds IQ2_XXS weights: get one of the types F32, F16", path, tmp_path / "base")


def test_factors_of_wavelengths_of_a_type_that_is_not_supported(tmp_path):
    path = gguf_files.write(tmp_path / "file.gguf", rope_factors=np.ones(32)).path
    name = text("rope_freqs.weight") + struct.pack("<IQ", 1, 32)
    data = path.read_bytes()
    assert name + struct.pack("<I", F32) in data
    path.write_bytes(data.replace(name + struct.pack("<I", F32), name + struct.pack("<I", INT32)))
    fails(5, "holds I32 weights", path, tmp_path / "base")


def test_numbers_that_are_not_finite(tmp_path):
    file = gguf_files.write(tmp_path / "file.gguf", kind="Q8_0")
    place = read_header(file.path).tensors["blk.0.ffn_up.weight"].offset
    data = bytearray(file.path.read_bytes())
    data[place : place + 2] = b"\x00\x7c"  # infinity in fp16
    file.path.write_bytes(data)
    with pytest.raises(ConversionError, match=r"mlp.up_proj.scales holds numbers that are not finite"):
        convert_gguf(file.path, tmp_path / "base", BaseOptions(dtype="float16"), keep=True)
    assert not (tmp_path / "base").exists()
