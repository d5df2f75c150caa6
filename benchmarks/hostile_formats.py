"""Bundles and bases whose weights, index or configuration lie: more kinds for `hostile_models.py`."""

from __future__ import annotations

import gzip
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile_damage import NANO, Damage, as_folder, change, linked, pipe, put, replaced, with_weights

_CONFIG, _WEIGHTS = "config.json", "model.safetensors"
_INDEX = "base/model.safetensors.index.json"
_GIB = 1 << 30

Header = dict[str, Any]
Tensors = dict[str, "np.ndarray[Any, Any]"]


def bundles() -> dict[str, Damage]:
    """Hypernetworks."""
    config = f"hypernet/{_CONFIG}"
    return _of_weights("hypernet") | {
        "config of nested objects": _nested(config, 900),
        "config of 10,000 levels": _nested(config, 10_000),
        "config with infinities": replaced(config, _text(config)[:-2] + ', "x": [Infinity, -Infinity, NaN, 1e999]}'),
        "half a surrogate in a name": change(config, base__repository="a\ud800/b", dtype="\udfff"),
        "100,000 unknown keys": change(config, **{f"key{n}": n for n in range(100_000)}),
        "rank is true": change(config, hypernet__rank=True),
        "scale is true": change(config, hypernet__scale=True),
        "a module for each letter": change(config, hypernet__modules={f"m{n}": [512, 128] for n in range(100_000)}),
        "module with dots": change(config, hypernet__modules={"self_attn.__class__": [512, 128]}),
        "repository is an option": change(config, base__repository="--upload-pack=touch work/EXECUTED"),
        "repository is an address": change(config, base__repository="file:///etc/passwd"),
        "prefix longer than the base reads": change(config, prefix_ids=[5] * 1_000_000),
        "prefix as true": change(config, prefix_ids=[True, False]),
        "another fingerprint": change(config, base__fingerprint="0" * 64),
        "one token more": change(config, base__vocab_size=2049),
        "the folder is a file": _file("hypernet"),
        "the folder is missing": _gone("hypernet"),
        "the folder links to itself": _loop("hypernet"),
        "the folder is the root": _elsewhere("hypernet", "/"),
        "config without a byte": replaced(config, b""),
        "weights without a byte": replaced(f"hypernet/{_WEIGHTS}", b""),
        "config links to a device": linked(config, "/dev/random"),
        "config of processes": linked(config, "/proc/self/environ"),
    }


def bases() -> dict[str, Damage]:
    """Base models; their tokenizers are in `hostile_tokenizers.py`."""
    config = f"base/{_CONFIG}"

    def says(**values: object) -> Damage:
        return change(config, **values)

    def rope(**values: object) -> Damage:
        return says(rope_parameters={"rope_theta": 1e4, **values})

    return _of_weights("base") | {
        "config of nested objects": _nested(config, 900),
        "config of 10,000 levels": _nested(config, 10_000),
        "config with infinities": replaced(config, _text(config)[:-2] + ', "x": [Infinity, -Infinity, NaN, 1e999]}'),
        "theta beyond all numbers": replaced(config, _text(config)[:-2] + ', "rope_theta": 1e999}'),
        "half a surrogate in the type": says(model_type="llama\ud800"),
        "layers are true": says(num_hidden_layers=True),
        "tied in words, and no head": says(tie_word_embeddings=False),
        "tied by a number": says(tie_word_embeddings=7),
        "rope of another kind": rope(rope_type="evil"),
        "rope scaled to infinity": rope(rope_type="linear", factor=1e300),
        "rope scaled backwards": rope(rope_type="linear", factor=-4),
        "rope without its factor": rope(rope_type="llama3"),
        "rope with a list": rope(rope_type="longrope", long_factor=[1] * 100_000, short_factor=["x"]),
        "rope by two names": says(rope_scaling={"type": "yarn", "rope_type": "linear", "factor": "x"}),
        "two kinds of layers": says(layer_types=["full_attention", "sliding_attention"]),
        "a million kinds of layers": says(layer_types=["sliding_attention"] * 1_000_000),
        "no layer attends": says(layer_types=[]),
        "window of nothing": says(sliding_window=0, layer_types=["sliding_attention"] * 4),
        "window backwards": says(sliding_window=-5, layer_types=["sliding_attention"] * 4),
        "window without end": says(sliding_window=10**12, layer_types=["sliding_attention"] * 4),
        "heads that do not divide": says(num_attention_heads=3, num_key_value_heads=2),
        "odd head": says(head_dim=31),
        "reads one token": says(max_position_embeddings=1),
        "reads eight tokens": says(max_position_embeddings=8),
        "one token fewer": says(vocab_size=2047),
        "ends with every token": says(eos_token_id=list(range(1000))),
        "a text in a text": says(text_config={"text_config": {"text_config": {}}, "model_type": "llama"}),
        "activation of its own": says(hidden_act="evil.activation"),
        "bias in words": says(attention_bias="yes", mlp_bias=[1]),
        "quantised by groups of none": says(quantization={"group_size": 0, "bits": 4}),
        "quantised by true": says(quantization={"group_size": True, "bits": True}),
        "quantised by a mode": says(quantization={"group_size": 32, "bits": 4, "mode": "evil"}),
        "quantised layer by layer": says(
            quantization={"group_size": 64, "bits": 4} | {f"model.layers.{n}.x": {"bits": "x"} for n in range(50_000)}
        ),
        "quantised elsewhere": says(quantization_config={"quant_method": "bitnet", "modules_to_not_convert": 5}),
        "type llama": says(model_type="llama"),
        "type gemma3": says(model_type="gemma3"),
        "type gpt_oss": says(model_type="gpt_oss", num_local_experts=10**9),
        "type of many experts": says(
            model_type="qwen3_moe", num_experts=10**9, num_experts_per_tok=10**9, moe_intermediate_size=10**9
        ),
        "type mamba2": says(model_type="mamba2", state_size=10**9, conv_kernel=0),
        "type with images": says(model_type="llava", vision_config={"image_size": 10**9}),
        "type of a module": says(model_type="base"),
        "type of a helper": says(model_type="switch_layers"),
        "dtype by number": says(torch_dtype=16, dtype=16),
        "generation of nonsense": change(
            "base/generation_config.json", temperature="NaN", top_k=-1, max_new_tokens=-5, forced_eos_token_id={"a": 1}
        ),
        "the folder is a file": _file("base"),
        "the folder is missing": _gone("base"),
        "the folder links to itself": _loop("base"),
        "the folder is the root": _elsewhere("base", "/"),
        "30,000 files": _many_files,
        "name that is no text": lambda pair: put(pair / "base" / os.fsdecode(b"\xff\xfe.safetensors"), b"x"),
        "more weights beside": lambda pair: put(pair / "base" / "model-2.safetensors", b"x"),
        "index is a list": replaced(_INDEX, "[1]"),
        "map is a list": replaced(_INDEX, '{"weight_map": ["model.safetensors"]}'),
        "map to numbers": replaced(_INDEX, '{"weight_map": {"model.norm.weight": 5}}'),
        "map to a parent": replaced(_INDEX, '{"weight_map": {"model.norm.weight": "../hypernet/model.safetensors"}}'),
        "map to half a surrogate": replaced(_INDEX, '{"weight_map": {"model.norm.weight": "\\ud800.safetensors"}}'),
        "map of a million": replaced(_INDEX, json.dumps({"weight_map": {f"t{n}": _WEIGHTS for n in range(10**6)}})),
        "map to nothing": replaced(_INDEX, '{"weight_map": {}, "metadata": {"total_size": -1}}'),
        "only a pickle": _only_pickle,
        "config without a byte": replaced(config, b""),
        "weights without a byte": replaced(f"base/{_WEIGHTS}", b""),
        "generation config without a byte": replaced("base/generation_config.json", b""),
        "config of processes": linked(config, "/proc/self/mem"),
        "template is a pipe": pipe("base/chat_template.jinja"),
        "template is a folder": as_folder("base/chat_template.jinja"),
        "template of 100 MB": replaced("base/chat_template.jinja", b"x" * 100_000_000),
        "template in UTF-16": replaced("base/chat_template.jinja", "{{ messages }}".encode("utf-16")),
    }


def _of_weights(part: str) -> dict[str, Damage]:
    """Damages of a safetensors file."""
    file = f"{part}/{_WEIGHTS}"

    def header(name: str, edit: Callable[[Header, str, int], object], **more: Any) -> tuple[str, Damage]:
        return name, _header(file, edit, **more)

    def says(**values: object) -> Callable[[Header, str, int], object]:
        return lambda found, one, _: found[one].update(values)

    def sized(dtype: str, size: int) -> Callable[[Header, str, int], object]:
        def edit(found: Header, _: str, end: int) -> None:
            found["more"] = {"dtype": dtype, "shape": [size], "data_offsets": [end, end + size * 4]}

        return edit

    def many(found: Header, _: str, end: int) -> None:
        found |= {f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [end, end]} for n in range(1_000_000)}

    def transposed(tensors: Tensors) -> None:
        for name, tensor in tensors.items():
            if tensor.ndim > 1:
                tensors[name] = np.ascontiguousarray(np.swapaxes(tensor, -1, -2))

    def each(make: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]) -> Damage:
        return with_weights(file, lambda tensors: tensors.update({name: make(one) for name, one in tensors.items()}))

    return dict(
        (
            header("header of a million tensors", many),
            header("header of 100 MB", lambda found, _, __: found, pad=100_000_000),
            header("tensor of 50 GB that is not there", sized("F32", 50 * _GIB // 4)),
            header("tensor of 50 GB of holes", sized("F32", 50 * _GIB // 4), holes=50 * _GIB),
            header("escapes in a tensor's name", lambda found, one, _: found.update({"\x1b[2J\n": found.pop(one)})),
            header("half a surrogate in a tensor's name", lambda found, one, _: found.update({"\ud800": found[one]})),
            header("metadata is a number", lambda found, _, __: found.update(__metadata__=5)),
            header("metadata of numbers", lambda found, _, __: found.update(__metadata__={"format": 5})),
            header("metadata of 50 MB", lambda found, _, __: found.update(__metadata__={"format": "x" * 50_000_000})),
            header("tensor is text", lambda found, one, _: found.update({one: "F32"})),
            header("tensor without a shape", lambda found, one, _: found[one].pop("shape")),
            header("tensor of 64 dimensions", says(shape=[1] * 64)),
            header("tensor of eighths", says(dtype="F8_E4M3")),
            header("tensor of pairs", says(dtype="C64")),
            header("tensor of fours", says(dtype="F4")),
            header("offsets are text", says(data_offsets=["0", "4"])),
            header("offsets are three", says(data_offsets=[0, 4, 8])),
            header("offsets are fractions", says(data_offsets=[0.5, 4.5])),
            header("sizes as true", says(shape=[True, True])),
        )
    ) | {
        "weights are another shape": with_weights(file, transposed),
        "weights of nothing": with_weights(file, lambda tensors: tensors.clear()),
        "weights all zero": each(np.zeros_like),
        "weights in double": each(lambda one: one.astype(np.float64)),
        "weights in integers": each(lambda one: one.astype(np.int64)),
        "weights compressed": replaced(file, gzip.compress((NANO / file).read_bytes()[:1_000_000])),
        "weights are a zip": replaced(file, b"PK\x03\x04" + b"\0" * 1000),
    }


def _header(file: str, edit: Callable[[Header, str, int], object], pad: int = 0, holes: int = 0) -> Damage:
    """Edit the header of a safetensors file.

    Args:
        file: in a pair's folder.
        edit: takes the header, the name of a tensor in it, and the size of the data.
        pad: spaces behind the header.
        holes: bytes behind the data that take no disk.
    """

    def damage(pair: Path) -> None:
        data = (pair / file).read_bytes()
        start = 8 + struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:start])
        names = sorted(name for name in header if name != "__metadata__")
        edit(header, names[len(names) // 2], len(data) - start)
        text = json.dumps(header).encode() + b" " * pad
        text += b" " * (-len(text) % 8)
        put(pair / file, struct.pack("<Q", len(text)) + text + data[start:])
        if holes:
            os.truncate(pair / file, 8 + len(text) + len(data) - start + holes)

    return damage


def _text(file: str) -> str:
    return (NANO / file).read_text().rstrip()


def _nested(file: str, levels: int) -> Damage:
    """A key that holds an object in an object."""
    deep = '{"a":' * levels + "1" + "}" * levels
    return replaced(file, _text(file)[:-1].rstrip() + f', "deep": {deep}}}')


def _file(part: str) -> Damage:
    return lambda pair: (_empty(pair / part), (pair / part).write_text("x"))


def _gone(part: str) -> Damage:
    return lambda pair: _empty(pair / part)


def _loop(part: str) -> Damage:
    return lambda pair: (_empty(pair / part), (pair / part).symlink_to(part))


def _elsewhere(part: str, target: str) -> Damage:
    return lambda pair: (_empty(pair / part), (pair / part).symlink_to(target))


def _empty(place: Path) -> None:
    for path in place.iterdir():
        path.unlink()
    place.rmdir()


def _many_files(pair: Path) -> None:
    for number in range(30_000):
        (pair / "base" / f"{number}.txt").symlink_to(_CONFIG)


def _only_pickle(pair: Path) -> None:
    (pair / "base" / _WEIGHTS).unlink()
    put(pair / "base" / "pytorch_model.bin", b"cos\nsystem\n(S'touch work/EXECUTED'\ntR.")
