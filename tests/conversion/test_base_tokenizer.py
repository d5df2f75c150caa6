"""A base's tokenizer: copied byte for byte, and streamed text is text."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from mlx_lm.tokenizer_utils import load as mlx_lm_load
from tokenizers import Tokenizer
from transformers.utils import import_utils

from convert.base.tokenizer import PROBE, check_streaming, copy_tokenizer
from convert.errors import CheckpointError, ConversionError
from mlx_hypernet.tokenizer import load_tokenizer, streamed
from tests.conversion import published
from torch_train.model.tokenizer import load_tokenizer as torch_train_tokenizer


@pytest.fixture
def source(tmp_path) -> Path:
    """A folder with a Tekken file, what transformers makes of it, and a template."""
    folder = tmp_path / "source"
    folder.mkdir()
    published.tokenizer(folder)
    (folder / "generation_config.json").write_text("{}")
    (folder / "notes.txt").write_text("not a tokenizer's")
    return folder


def edit(folder: Path, **changes) -> None:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes, ensure_ascii=False), "utf-8")


def test_files_are_copied_byte_for_byte(tmp_path, source):
    (tmp_path / "copy").mkdir()
    copy_tokenizer(source, tmp_path / "copy")
    copied = {path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir()}
    assert copied == {path.name: path.read_bytes() for path in source.iterdir() if path.name != "notes.txt"}
    assert {"tokenizer.json", "tekken.json", "tokenizer_config.json", "chat_template.jinja"} <= copied.keys()


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


@pytest.mark.parametrize("decoder", [published.SENTENCEPIECE_DECODER, None, BYTE_LEVEL])
def test_streaming(source, decoder):
    edit(source, decoder=decoder)
    assert streamed(load_tokenizer(source), PROBE) == PROBE
    check_streaming(source, {})


def test_the_trap_is_real(source):
    """What mlx-lm does by itself with such files; when this fails, `load_tokenizer` can become simpler."""
    assert "Ġ" in streamed(mlx_lm_load(source), PROBE)


def test_words_are_split_as_tekken_says(source):
    expected = load_tokenizer(source).encode("Hello world: 2026")
    splitter = json.loads((source / "tokenizer.json").read_text("utf-8"))["pre_tokenizer"]
    splitter["pretokenizers"][0]["pattern"] = {"Regex": "."}
    edit(source, pre_tokenizer=splitter)
    assert Tokenizer.from_file(str(source / "tokenizer.json")).encode("Hello world: 2026").ids != expected
    assert load_tokenizer(source).encode("Hello world: 2026") == expected


@pytest.mark.parametrize("decoder", [published.SENTENCEPIECE_DECODER, None, BYTE_LEVEL])
@pytest.mark.parametrize("pattern", [None, "."])
def test_the_trainer_reads_and_writes_the_same(source, decoder, pattern):
    splitter = json.loads((source / "tokenizer.json").read_text("utf-8"))["pre_tokenizer"]
    if pattern is not None:
        splitter["pretokenizers"][0]["pattern"] = {"Regex": pattern}
    edit(source, pre_tokenizer=splitter, decoder=decoder)
    ids = load_tokenizer(source).encode(PROBE, add_special_tokens=False)
    trainers = torch_train_tokenizer(source)
    assert trainers.encode(PROBE, add_special_tokens=False) == ids
    assert trainers.decode(ids) == PROBE


def test_template_and_end_of_answer(source):
    tokenizer = load_tokenizer(source, [2, 3])
    ids = tokenizer.apply_chat_template([{"role": "user", "content": "Hello"}], add_generation_prompt=True)
    assert ids[:2] == [1, 3]
    assert ids[-1] == 4
    assert tokenizer.eos_token_ids == {2, 3}


def test_tekken_alone(tmp_path, source):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (source / name).unlink()
    (tmp_path / "copy").mkdir()
    copy_tokenizer(source, tmp_path / "copy")
    check_streaming(tmp_path / "copy", {})
    assert load_tokenizer(tmp_path / "copy").chat_template == published.TEMPLATE


def test_tekken_that_cannot_be_converted(tmp_path, source, monkeypatch):
    # mistral-common fills in what is missing; the tests install it, people need not.
    known = import_utils.BACKENDS_MAPPING["mistral-common"]
    monkeypatch.setitem(import_utils.BACKENDS_MAPPING, "mistral-common", (lambda: False, known[1]))
    (source / "tokenizer.json").unlink()
    tekken = json.loads((source / "tekken.json").read_text())
    (source / "tekken.json").write_text(json.dumps({key: tekken[key] for key in ("config", "vocab")}))
    (tmp_path / "copy").mkdir()
    with pytest.raises(CheckpointError, match=r"no tokenizer.json.*install mistral-common"):
        copy_tokenizer(source, tmp_path / "copy")


def test_tokenizer_that_loses_letters(source):
    edit(source, normalizer={"type": "Lowercase"})
    with pytest.raises(ConversionError, match="streams 'hello world"):
        check_streaming(source, {})


@pytest.mark.parametrize("text", ["{", '{"model": 3}'])
def test_damaged_tokenizer(source, text):
    (source / "tokenizer.json").write_text(text)
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        check_streaming(source, {})


def test_a_link_out_of_the_folder_is_not_followed(tmp_path, source):
    shutil.move(source / "tokenizer.json", tmp_path / "tokenizer.json")
    (source / "tokenizer.json").symlink_to(tmp_path / "tokenizer.json")
    (tmp_path / "copy").mkdir()
    with pytest.raises(CheckpointError, match="leads out of"):
        copy_tokenizer(source, tmp_path / "copy")
