"""Model folders and checkpoints that mean harm: each is refused in one line, with exit code 5, and runs nothing."""

import json
import os
import pickle
import resource
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from convert import pickles
from convert.errors import CheckpointError
from convert.inspection import inspect
from convert.source import Kind, Source, find
from mlx_hypernet.format import rendering, tokenizer_file
from mlx_hypernet.format.rendering import render
from mlx_hypernet.format.vetting import VettingError, check_base
from tests.conversion.command import run
from thoth import nano
from thoth.actions import requests
from thoth.engine.engine import Engine
from thoth.engine.loading import load_pair
from thoth.errors import ModelError
from thoth.library.library import Library
from thoth.models.registry import Pair

CONFIGS = {
    "model_file": ({"model_file": "own.py"}, "code of its own by model_file"),
    "auto_map": ({"auto_map": {"AutoConfig": "own.Config"}}, "code of its own by auto_map"),
    "trust": ({"trust_remote_code": True}, "code of its own by trust_remote_code"),
    "dotted type": ({"model_type": "..own"}, "model_type in config.json is not a name"),
    "no positions": ({"max_position_embeddings": None}, "max_position_embeddings"),
    "layers": ({"num_hidden_layers": 10**9}, "num_hidden_layers in config.json must be"),
    "vocabulary": ({"vocab_size": "x"}, "vocab_size in config.json must be"),
    "NaN": ({"rms_norm_eps": float("nan")}, "rms_norm_eps in config.json must be"),
    "ends": ({"eos_token_id": list(range(5000))}, "eos_token_id in config.json must be"),
    "end": ({"eos_token_id": {"a": 1}}, "eos_token_id in config.json must be"),
    "kinds of layers": ({"layer_types": ["full_attention"] * 1000}, "layer_types in config.json must name"),
    "text": ({"text_config": [1]}, "text_config in config.json is not an object"),
}
TEMPLATES = {
    "nested loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% set x = i * j %}{% endfor %}{% endfor %}",
    "power": "{% set a = 9**(9**9) %}{{ a % 7 }}",
    "memory": "{% set a = 'x' * 10**11 %}",
    "doubling": "{% set n = namespace(a='xx') %}{% for i in range(60) %}{% set n.a = n.a ~ n.a %}{% endfor %}",
    "long": "{{ 'word ' * 5000000 }}",
    "no template": "{% for %}",
    "empty": "",
    "nothing": "{% set a = 1 %}",
    "undefined": "{{ nothing.at.all }}",
    "globals": "{{ cycler.__init__.__globals__.os.system('touch MARK') }}",
    "attr": "{{ (lipsum|attr('__globals__'))['os'].popen('touch MARK').read() }}",
    "import": "{% import 'os' as os %}{{ os.system('touch MARK') }}",
}
ENDLESS = ("nested loops", "power")
slow = pytest.mark.slow
NESTED = pytest.param("[" * 200_000 + "]" * 200_000, id="nested")
PICKLES = {
    "hash bomb": b"\x80\x02}K\x01\x85" + b"2\x86" * 60 + b"K\x01s.",
    "frozen hash bomb": b"\x80\x04(K\x01\x85" + b"2\x86" * 60 + b"\x91.",
    "numbers": b"\x80\x02](" + b"K\x01" * 5_000_000 + b"e.",
    "memory": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",
}


@pytest.fixture(autouse=True)
def _second(monkeypatch):
    """What does not end is ended after one second, to save four."""
    monkeypatch.setattr(rendering, "CPU_SECONDS", 1)
    monkeypatch.setattr(pickles, "CPU_SECONDS", 1)


@pytest.fixture
def pair(tmp_path):
    """Nano's own pair: the bundle where it is, and links to the base's files."""
    base = tmp_path / "base"
    base.mkdir()
    for path in (nano.folder() / "base").iterdir():
        (base / path.name).symlink_to(path)
    return Pair("hostile", base, nano.folder() / "hypernet")


def put(path, data):
    path.unlink(missing_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def change(path, **values):
    data = json.loads(path.read_text()) | values
    put(path, json.dumps({key: value for key, value in data.items() if value is not None}))


def refusal(pair):
    with pytest.raises(ModelError) as refused:
        load_pair(pair)
    message = str(refused.value)
    assert refused.value.exit_code == 5
    assert "\n" not in message
    assert len(message) < 1000
    return message


def test_the_pair_itself_loads(pair):
    assert load_pair(pair).context_length > 0


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_configuration_that_asks_for_code_or_makes_no_sense_is_refused(pair, kind):
    values, reason = CONFIGS[kind]
    change(pair.base / "config.json", **values)
    assert reason in refusal(pair)


@pytest.mark.parametrize("file", ["tokenizer_config.json", "generation_config.json"])
def test_code_is_refused_wherever_it_is_named(pair, file):
    change(pair.base / file, auto_map={"AutoTokenizer": ["own.Tokenizer", None]})
    assert f"{file} asks for code of its own" in refusal(pair)
    with pytest.raises(VettingError, match="auto_map"):
        check_base(pair.base)


@pytest.mark.parametrize("text", [NESTED, "", "[]", "null", '{"a":'])
def test_a_configuration_that_is_no_object_is_refused(pair, text):
    put(pair.base / "config.json", text)
    assert "config.json" in refusal(pair)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "generation_config.json", "model.safetensors"])
def test_a_pipe_or_a_device_is_no_file(pair, file):
    """A reader would wait for the one, and never come to the end of the other."""
    (pair.base / file).unlink()
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        make(pair.base / file)
        assert f"{file} in it is a pipe or a device" in refusal(pair)
        with pytest.raises(CheckpointError, match="is a pipe or a device"):
            find(str(pair.base), print)
        (pair.base / file).unlink()


# Each of the slow ones is a second of processor time that another one spends in the same way.
@pytest.mark.parametrize("kind", [one if one != "power" else pytest.param(one, marks=slow) for one in TEMPLATES])
def test_a_template_that_fails_or_does_not_end_is_refused(pair, tmp_path, kind, monkeypatch):
    if kind in ENDLESS:
        monkeypatch.setattr(rendering, "CPU_SECONDS", 0)  # the limit is the next whole second
    marker = tmp_path / "executed"
    put(pair.base / "chat_template.jinja", TEMPLATES[kind].replace("MARK", str(marker)))
    refusal(pair)
    assert not marker.exists()


def test_after_a_template_that_was_killed_others_are_rendered(monkeypatch):
    class Tokenizer:
        special_tokens_map = {"bos_token": "<s>"}  # noqa: RUF012

        def __init__(self, template):
            self.get_chat_template = lambda: template

    monkeypatch.setattr(rendering, "CPU_SECONDS", 0)
    with pytest.raises(ValueError, match="does not end"):
        render(Tokenizer("{% set a = 9**(9**9) %}"), [])
    monkeypatch.setattr(rendering, "CPU_SECONDS", 1)
    said = "{{ bos_token }}{% generation %}{{ messages[0].content | tojson }}{% endgeneration %}"
    assert render(Tokenizer(said), [{"role": "user", "content": "é<"}]) == '<s>"é<"'


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_weights_that_are_no_numbers_are_refused(pair, value):
    path = pair.base / "model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("down_proj.weight"))
    tensors[name].flat[-1] = value
    path.unlink()
    save_file(tensors, path, {"format": "mlx"})
    assert "NaN, infinity" in refusal(pair)


def test_weights_that_are_whole_numbers_are_refused(pair):
    path = pair.base / "model.safetensors"
    tensors = {name: tensor.astype(np.int64) for name, tensor in load_file(path).items()}
    path.unlink()
    save_file(tensors, path, {"format": "mlx"})
    assert "holds I64 numbers, which are no weights" in refusal(pair)


@pytest.mark.parametrize(
    ("prefix", "reason"), [("x" * 17, "is longer than 16"), ("x" * 16, "lacks its continuing_subword_prefix")]
)
def test_a_tokenizer_that_would_panic_is_refused(pair, prefix, reason):
    path = pair.base / "tokenizer.json"
    model = json.loads(path.read_text())["model"] | {"continuing_subword_prefix": prefix}
    change(path, model=model)
    assert reason in refusal(pair)


def test_a_tokenizer_that_panics_costs_that_request_and_not_the_thread(pair, home, monkeypatch):
    monkeypatch.setattr(tokenizer_file, "check", lambda _: None)  # it refuses this map
    change(pair.base / "tokenizer.json", normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA" * 1000})
    with Engine(Library(home)) as engine:
        for _ in range(2):
            with pytest.raises(ModelError, match="tokenizer fails on this text"):
                requests.last(engine.load(pair))


def test_a_tokenizer_with_an_id_beyond_all_is_refused(pair):
    change(pair.base / "tokenizer.json", model={"type": "BPE", "vocab": {"a": 2**31}, "merges": []})
    assert "more than eight digits" in refusal(pair)


def test_a_tokenizer_that_begins_every_text_with_a_book_is_refused(pair):
    change(pair.base / "tokenizer.json", normalizer={"type": "Prepend", "prepend": "word " * 1000})
    assert "endless text" in refusal(pair)


def test_a_tokenizer_that_lets_text_grow_without_end_is_refused(pair):
    replace = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    change(pair.base / "tokenizer.json", normalizer={"type": "Sequence", "normalizers": [replace] * 34})
    assert "endless text" in refusal(pair)


@pytest.mark.parametrize("text", [NESTED, "", "[]", '{"hypernet": 1}', "NaN"])
def test_a_checkpoint_without_a_configuration_is_inspected_in_one_line(tmp_path, text):
    put(tmp_path / "config.json", text)
    (tmp_path / "model.safetensors").symlink_to(nano.folder() / "hypernet" / "model.safetensors")
    with pytest.raises(CheckpointError) as refused:
        inspect(Source(tmp_path, Kind.TRAINING))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["overlap", "beyond", "shape"])
def test_weights_whose_header_lies_are_refused(pair, kind):
    path = pair.base / "model.safetensors"
    data = path.read_bytes()
    end = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:end])
    info = header[sorted(name for name in header if name != "__metadata__")[5]]
    size = info["data_offsets"][1] - info["data_offsets"][0]
    at = {"overlap": 4, "beyond": len(data), "shape": info["data_offsets"][0]}[kind]
    info["data_offsets"] = [at, at + size]
    if kind == "shape":
        info["shape"] = [1 << 40, 1 << 40]
    text = json.dumps(header).encode()
    put(path, struct.pack("<Q", len(text)) + text + data[end:])
    assert "damaged" in refusal(pair)


def test_a_tokenizer_that_tokenizers_refuses_is_refused_by_the_trainer(pair):
    """`tokenizers` raises bare Exceptions."""
    from torch_train.errors import TrainingError
    from torch_train.model.tokenizer import load_tokenizer

    data = json.loads((pair.base / "tokenizer.json").read_text())
    data["model"]["merges"].insert(0, ["nowhere", "at all"])
    put(pair.base / "tokenizer.json", json.dumps(data))
    with pytest.raises(TrainingError, match="has no usable tokenizer"):
        load_tokenizer(pair.base)


def test_affixes_longer_than_any_template_are_refused(pair, tmp_path):
    bundle = tmp_path / "hypernet"
    bundle.mkdir()
    for path in pair.bundle.iterdir():
        (bundle / path.name).symlink_to(path)
    change(bundle / "config.json", prefix_ids=list(range(200)) * 500)
    assert "more than 4,096 ids" in refusal(Pair("hostile", pair.base, bundle))


@pytest.mark.parametrize("kind", [one if "frozen" not in one else pytest.param(one, marks=slow) for one in PICKLES])
def test_a_pickle_that_never_ends_is_refused(tmp_path, kind):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(PICKLES[kind])
    done = run(path, "--inspect")
    assert done.exit_code == 5
    assert len(done.stderr.splitlines()) == 1
    assert "refused" in done.stderr or "damaged" in done.stderr


def test_the_limits_end_with_the_child(tmp_path):
    """The process that asks keeps its own."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(pickle.dumps({"k": 1}, protocol=2))
    assert pickles._globals(path) == set()
    assert resource.getrlimit(resource.RLIMIT_AS) == before
