"""Model folders, checkpoints and GGUF files that mean harm, made from nano: what a hub or a stranger may hand out.

Each maker takes a folder of its own with a copy of nano (links, so that it is small) and damages it. Payloads only
touch a canary. `foreign` runs makers of others: scripts with PROJECT in place of this project's folder.
"""

from __future__ import annotations

import json
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import hostile_files, hostile_formats, hostile_tokenizers
from benchmarks.hostile_damage import (
    NANO,
    Case,
    Damage,
    as_folder,
    change,
    copy,
    linked,
    pipe,
    put,
    replaced,
    template,
    with_weights,
)
from benchmarks.hostile_runs import CANARY, ROOT

_TOUCH = f"touch {CANARY}"


def ours(folder: Path, kinds: Collection[str]) -> Iterator[Case]:
    """Make the cases of this project, of some kinds."""
    makers: dict[str, Callable[[], dict[str, Damage]]] = {
        "bundle": lambda: _bundles() | hostile_formats.bundles(),
        "base": lambda: _bases() | hostile_formats.bases() | hostile_tokenizers.bases(),
        "template": lambda: {name: template(text) for name, text in (TEMPLATES | hostile_files.TEMPLATES).items()},
    }
    files: dict[str, Callable[[], dict[str, bytes]]] = {
        "pickle": lambda: _pickles() | hostile_files.pickles(),
        "gguf": lambda: _gguf() | hostile_files.gguf(),
    }
    for kind in kinds:
        for name, damage in makers.get(kind, dict)().items():
            pair = copy(folder / f"{kind}-{name}")
            damage(pair)
            yield Case(kind, name, pair)
        for name, data in files.get(kind, dict)().items():
            path = folder / f"{kind}-{name}.{'gguf' if kind == 'gguf' else 'bin'}"
            path.write_bytes(data)
            yield Case(kind, name, path)
    if "pickle" in kinds:
        path = folder / "pickle-many members.bin"
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(20_000):
                archive.writestr(f"archive/{number}.pkl", _pickle(b"K\x01"))
        yield Case("pickle", "many members", path)


# Kinds of cases that the scripts of others make.
_SCRIPTS = {
    "make_code.py": {"code", "template"},
    "make_pickles.py": {"pickle"},
    "make_weights.py": {"bundle", "base"},
}


def foreign(folder: Path, scripts: Path, kinds: Collection[str]) -> Iterator[Case]:
    """Run the makers in a folder of scripts, and return what they made.

    Args:
        folder: they run here, and write to `work/` in it.
        scripts: `make_weights.py`, `make_code.py`, `make_pickles.py` and single pickles.
        kinds: only scripts that make cases of these are run.
    """
    for script in sorted(scripts.glob("make_*.py")):
        if _SCRIPTS.get(script.name, set()).isdisjoint(kinds):
            continue
        # Of 200 members of 60 MB, 8 are enough: all of them take minutes to compress.
        program = script.read_text().replace("PROJECT", str(ROOT)).replace("in range(200)", "in range(8)")
        program = program.replace(repr(CANARY), repr(str(folder / CANARY)))  # commands run in other folders too
        subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    kinds = {"b": "bundle", "c": "base", "t": "base"}
    for path in sorted((folder / "work" / "wpairs").glob("*/")):
        of_base = path.name.startswith(("d_base", "s_base"))
        yield Case(kinds.get(path.name[0], "base" if of_base else "bundle"), path.name, path)
    for path in sorted((folder / "work" / "pairs").glob("*/")):
        yield Case("template" if path.name.startswith("jinja") else "code", path.name, path)
    for path in [*sorted((folder / "work" / "pickles").glob("*")), *scripts.glob("*.bin")]:
        yield Case("pickle", path.name, path)


def _bundles() -> dict[str, Damage]:
    config, weights = "hypernet/config.json", "hypernet/model.safetensors"

    def fill(part: str, value: float) -> Damage:
        def change(tensors: dict[str, np.ndarray[Any, Any]]) -> None:
            name = next(name for name in sorted(tensors) if part in name)
            tensors[name].flat[0] = value

        return with_weights(weights, change)

    return {
        "config is a pipe": pipe(config),
        "config is a folder": as_folder(config),
        "config never ends": linked(config, "/dev/zero"),
        "config links to itself": linked(config, "config.json"),
        "config is large": replaced(config, b'{"a":"' + b"x" * (64 << 20) + b'"}'),
        "config in UTF-16": replaced(config, (NANO / config).read_text().encode("utf-16")),
        "config with NUL": replaced(config, b"\0" * 4096),
        "weights are a pipe": pipe(weights),
        "weights are a folder": as_folder(weights),
        "weights never end": linked(weights, "/dev/zero"),
        "weights of another file": linked(weights, str(NANO / "base" / "model.safetensors")),
        "scale is negative": change(config, hypernet__scale=-1e300),
        "scale is subnormal": change(config, hypernet__scale=5e-324),
        "escapes in names": change(config, base__repository="\x1b]52;c;aGk=\x07\x1b[31mred\u202e", dtype="\x1b[2J"),
        "escapes in a key": change(config, **{"hypernet__\x1b[2Jevil": 1}),
        "newlines in a name": change(config, hypernet__modules={"a\nthoth: all is well": [512, 128]}),
        "first layer beyond": change(config, hypernet__first_layer=10**6),
        "first layer negative": change(config, hypernet__first_layer=-1),
        "reads what it is not": change(config, hypernet__reads_template="yes", hypernet__feature_norm=[1]),
        "factor is NaN": change(config, hypernet__projection_factor=float("nan")),
        "ids at the vocabulary's end": change(config, prefix_ids=[2048], suffix_ids=[2048]),
        "chunk longer than the base": change(config, max_chunk_tokens=1 << 20),
        "one weight NaN": fill("latents", float("nan")),
        "one weight infinite": fill("down_proj", float("inf")),
    }


def _bases() -> dict[str, Damage]:
    config, weights, tokenizer = "base/config.json", "base/model.safetensors", "base/tokenizer.json"
    index = "base/model.safetensors.index.json"

    def shards(name: str) -> Damage:
        def damage(pair: Path) -> None:
            (pair / weights).unlink()
            (pair / index).write_text(json.dumps({"weight_map": {"model.norm.weight": name}}))

        return damage

    def vocabulary(pair: Path) -> None:
        data = json.loads((pair / tokenizer).read_text())
        data["model"]["vocab"] |= {f"word{number}": 2048 + number for number in range(300_000)}
        put(pair / tokenizer, json.dumps(data))

    def added(pair: Path) -> None:
        data = json.loads((pair / tokenizer).read_text())
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
        data["added_tokens"] += [{"id": 2048 + n, "content": f"<{n}>", **flags} for n in range(50_000)]
        put(pair / tokenizer, json.dumps(data))

    def merges(pair: Path) -> None:
        data = json.loads((pair / tokenizer).read_text())
        data["model"]["merges"].insert(0, ["nowhere", "at all"])
        put(pair / tokenizer, json.dumps(data))

    def overflowing(tensors: dict[str, np.ndarray[Any, Any]]) -> None:
        for name in tensors:
            if name.endswith("norm.weight"):
                tensors[name] = np.full_like(tensors[name], 1e25)

    quantised = {"group_size": 64, "bits": 4}
    return {
        "config is a pipe": pipe(config),
        "config never ends": linked(config, "/dev/zero"),
        "config is a folder": as_folder(config),
        "tokenizer is a pipe": pipe(tokenizer),
        "tokenizer never ends": linked(tokenizer, "/dev/zero"),
        "tokenizer is a folder": as_folder(tokenizer),
        "tokenizer config is a pipe": pipe("base/tokenizer_config.json"),
        "generation config is a pipe": pipe("base/generation_config.json"),
        "generation config never ends": linked("base/generation_config.json", "/dev/zero"),
        "weights are a pipe": pipe(weights),
        "weights never end": linked(weights, "/dev/zero"),
        "shard elsewhere": shards("../../../../etc/passwd"),
        "shard absolute": shards("/dev/zero"),
        "shard missing": shards("model-00009-of-00009.safetensors"),
        "index is deep": replaced(index, "[" * 100_000 + "]" * 100_000),
        "index is a pipe": pipe(index),
        "vocabulary larger than the base": vocabulary,
        "50,000 added tokens": added,
        "merge of nothing": merges,
        "quantised in words only": change(config, quantization=quantised, quantization_config=quantised),
        "numbers that overflow": with_weights(weights, overflowing),
        "a million ends": change(config, eos_token_id=list(range(1_000_000))),
        "escapes in the type": change(config, model_type="\x1b[2J\x1b]0;x\x07"),
        "rope scaled by zero": change(config, rope_parameters={"rope_type": "yarn", "factor": 0, "rope_theta": 1e4}),
        "hundred million positions": change(config, max_position_embeddings=100_000_000),
        "code in a tokenizer class": change("base/tokenizer_config.json", tokenizer_class="../own.Evil"),
        "custom generate": change("base/generation_config.json", custom_generate="own"),
    }


# Each comes in front of nano's own template.
TEMPLATES = {
    "wide number": "{{ '%1000000000d' % 1 }}",
    "wide format": "{{ '{:>1000000000}'.format(1) }}",
    "many centred": "{% for i in range(99999) %}{{ 'x'.center(99999) }}{% endfor %}",
    "list of a range": "{{ range(99999)|list|length }}{{ (range(99999)|list * 9999)|length }}",
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "open brackets": "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "nested ifs": "{% if 1 %}" * 5_000 + "{% endif %}" * 5_000,
    "long prompt": "{{ 'word ' * 5000000 }}",
    "control tokens": "{{ bos_token * 100000 }}",
    "message with escapes": "{{ raise_exception('\x1b[2J\x1b]0;owned\x07 line\nthoth: all is well') }}",
    "long message": "{{ raise_exception('x' * 10000000) }}",
    "date": "{{ strftime_now('%Y' * 1000000) }}",
    "batches": "{{ range(99999)|batch(1)|list|pprint }}",
    "wordwrap": "{{ ('a' * 9999999)|wordwrap(1)|length }}",
    "urlize": "{{ ('http://' * 999999)|urlize }}",
    "striptags": "{{ ('<' * 9999999)|striptags }}",
    "global namespace": "{{ self.__init__.__globals__ }}{{ joiner.__init__.__globals__.os.system('" + _TOUCH + "') }}",
    "string formatter": "{{ '{0.__class__.__base__}'.format_map({'0': 1}) }}",
    "attribute by map": "{{ [cycler]|map(attribute='__init__.__globals__')|list }}",
    "file": "{% extends '/etc/passwd' %}",
}


def _name(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


def _call(module: str, name: str, argument: str) -> bytes:
    return _name(module) + _name(name) + b"\x93" + _name(argument) + b"\x85R"


def _pickle(value: bytes) -> bytes:
    return b"\x80\x04}" + _name("k") + value + b"s."


def _pickles() -> dict[str, bytes]:
    calls = {
        "copyreg": ("copyreg", "_reconstructor", _TOUCH),
        "importlib": ("importlib", "import_module", "this"),
        "load from bytes": ("torch.storage", "_load_from_bytes", "x"),
        "codecs": ("_codecs", "encode", "x"),
        "operator": ("operator", "attrgetter", "system"),
        "functools": ("functools", "partial", "x"),
        "shell": ("subprocess", "getoutput", _TOUCH),
        "timeit": ("timeit", "timeit", f"import os; os.system('{_TOUCH}')"),
        "code": ("code", "InteractiveInterpreter.runcode", "x"),
        "inert module": ("ctx_to_lora.configs", "os.system", _TOUCH),
    }
    inside = pickle.dumps({"k": 1}, 2)

    def collide(number: int) -> bytes:  # an integer with the hash of `number % 4`, and a value
        value = number * ((1 << 61) - 1) + number % 4
        size = (value.bit_length() + 8) // 8
        return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True) + b"K\x01"

    return {name: _pickle(_call(*call)) for name, call in calls.items()} | {
        "next buffer": b"\x80\x05\x97.",
        "memo beyond": _pickle(b"j\xff\xff\xff\x7f"),
        "text forever": _pickle(b"\x8d" + struct.pack("<Q", 1 << 62)),
        "bytes forever": _pickle(b"\x8e" + struct.pack("<Q", 1 << 40)),
        "set of sets": b"\x80\x04" + b"\x8f(" * 200_000 + b".",
        "keys collide": b"\x80\x04}(" + b"".join(map(collide, range(100_000))) + b"u.",
        "half a zip": b"PK\x03\x04" + b"\0" * 200,
        "empty": b"",
        "escapes in a name": _pickle(_call("os\x1b[2J", "sys\ntem", "x")),
        "good, then zeros": inside + b"\0" * (1 << 20),
    }


def _gguf() -> dict[str, bytes]:
    """Headers that lie: a reader believes counts and lengths before it has seen a tensor."""

    def header(tensors: int, keys: int, rest: bytes = b"", version: int = 3) -> bytes:
        return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + rest

    def text(value: bytes, length: int | None = None) -> bytes:
        return struct.pack("<Q", len(value) if length is None else length) + value

    architecture = text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
    nested = text(b"a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 10_000
    tensor = text(b"token_embd.weight") + struct.pack("<I", 2) + struct.pack("<QQ", 1 << 40, 1 << 40)
    return {
        "magic alone": b"GGUF",
        "version 99": header(0, 0, version=99),
        "big endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
        "tensors without end": header(1 << 62, 0),
        "keys without end": header(0, 1 << 62),
        "long key": header(0, 1, text(b"a", 1 << 62)),
        "long value": header(0, 1, text(b"a") + struct.pack("<I", 8) + text(b"x", 1 << 40)),
        "long array": header(0, 1, text(b"a") + struct.pack("<IIQ", 9, 4, 1 << 60)),
        "nested arrays": header(0, 1, nested),
        "unknown type": header(0, 1, text(b"a") + struct.pack("<I", 77)),
        "huge tensor": header(1, 1, architecture + tensor + struct.pack("<IQ", 0, 0)),
        "offset beyond": header(1, 1, architecture + text(b"a") + struct.pack("<IQIQ", 1, 4, 0, 1 << 60)),
        "dimensions without end": header(1, 1, architecture + text(b"a") + struct.pack("<I", 1 << 31)),
        "no tensors": header(0, 1, architecture),
        "key that is no text": header(0, 1, text(b"\xff\xfe\x1b[2J") + struct.pack("<IB", 7, 1)),
        "alignment zero": header(0, 2, architecture + text(b"general.alignment") + struct.pack("<II", 4, 0)),
        "zeros": b"GGUF" + b"\0" * (1 << 20),
    }
