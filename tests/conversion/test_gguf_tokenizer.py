"""The tokenizer of a GGUF file: the same ids as transformers' reading of it, and as the published pre-tokenizers."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from mlx_lm.utils import load_tokenizer as mlx_lm_load_tokenizer
from transformers import AutoTokenizer

from convert.base.tokenizer import PROBE
from convert.errors import CheckpointError
from convert.gguf.header import read_header
from convert.gguf.metadata import Metadata
from convert.gguf.splits import SPLITS
from convert.gguf.tokenizer import write_tokenizer
from mlx_hypernet.tokenizer import load_tokenizer, streamed
from tests.conversion import gguf_files

PIECES = [
    "hello", "world", "the", " ", "  ", "\n", "\n\n", "\t", "12", "7", "é", "É", "e\u0301", "naïve", "日本", "½", "'s",
    "'LL", ".", "...", "(x)", "_", "AbC", "<think>", "<|im_start|>", "<|im_end|>", "<s>", "🙂", "\r\n", "and", "caf",
]  # fmt: skip


def texts(count: int = 400) -> list[str]:
    rng = random.Random(0)
    return ["".join(rng.choices(PIECES, k=rng.randrange(1, 12))) for _ in range(count)]


def written(folder: Path, pre: str, **options) -> Path:
    file = gguf_files.write(folder / "file.gguf", pre=pre, **options)
    result = folder / "base"
    result.mkdir()
    write_tokenizer(Metadata(read_header(file.path)), result, file.config["vocab_size"], 512)
    return result


@pytest.mark.parametrize("pre", ["gpt-2", "llama-bpe", "tekken", "deepseek-r1-qwen"])
def test_ids_are_those_of_transformers(tmp_path, pre):
    ours = AutoTokenizer.from_pretrained(written(tmp_path, pre))
    theirs = AutoTokenizer.from_pretrained(tmp_path, gguf_file="file.gguf")
    for text in texts():
        assert ours(text).input_ids == theirs(text).input_ids, text
        assert ours.decode(ours(text).input_ids) == text


def test_qwen_texts_are_composed_first(tmp_path):
    """As in the tokenizer.json that Qwen publishes; transformers' reading of GGUF leaves it out."""
    ours = AutoTokenizer.from_pretrained(written(tmp_path, "qwen2"))
    theirs = AutoTokenizer.from_pretrained(tmp_path, gguf_file="file.gguf")
    assert ours("cafe\u0301").input_ids == ours("café").input_ids == theirs("café").input_ids
    plain = [text for text in texts() if "\u0301" not in text]
    assert [ours(text).input_ids for text in plain] == [theirs(text).input_ids for text in plain]


def test_smollm_takes_digits_one_by_one(tmp_path):
    """As llama.cpp and the published tokenizer.json; transformers' reading knows no pre-tokenizer of this name."""
    ours = AutoTokenizer.from_pretrained(written(tmp_path, "smollm"))
    tokens = ours.get_vocab()
    assert "12" in tokens  # a merge that would apply
    assert ours.convert_ids_to_tokens(ours("the  12").input_ids) == ["t", "he", "ĠĠ", "1", "2"]
    theirs = AutoTokenizer.from_pretrained(tmp_path, gguf_file="file.gguf")
    digitless = [text for text in texts() if not any(letter.isnumeric() for letter in text)]
    assert [ours(text).input_ids for text in digitless] == [theirs(text).input_ids for text in digitless]


def test_sentencepiece(tmp_path):
    ours = AutoTokenizer.from_pretrained(written(tmp_path, "llama"))
    theirs = AutoTokenizer.from_pretrained(tmp_path, gguf_file="file.gguf")
    assert ours.convert_ids_to_tokens(ours("hello world").input_ids) == ["<s>", "▁hello", "▁world"]
    assert ours.convert_ids_to_tokens(ours("é").input_ids) == ["<s>", "▁", "<0xC3>", "<0xA9>"]
    # After a special token llama.cpp puts a space and transformers' reading none; leading spaces differ too.
    plain = [text for text in texts() if "<s>" not in text and not text.startswith(" ")]
    assert len(plain) > 100
    for text in plain:
        assert ours(text).input_ids == theirs(text).input_ids, text
        assert ours.decode(ours(text, add_special_tokens=False).input_ids) == text


@pytest.mark.parametrize("pre", [*SPLITS, "llama"])
def test_streaming_and_template(tmp_path, pre):
    folder = written(tmp_path, pre)
    assert streamed(load_tokenizer(folder), PROBE) == PROBE
    tokenizer = mlx_lm_load_tokenizer(folder)
    messages = [{"role": "user", "content": "hello"}]
    expected = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False) == expected


def test_special_tokens(tmp_path):
    folder = written(tmp_path, "smollm")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == SPECIALS
    assert tokenizer.decode(tokenizer("<|im_start|>hello<think>").input_ids, skip_special_tokens=True) == "hello<think>"
    assert len(tokenizer("<|im_start|>").input_ids) == len(tokenizer("<think>").input_ids) == 1


SPECIALS = ("<|im_start|>", "<|im_end|>", "<|im_end|>")


def test_bos_where_the_file_asks_for_it(tmp_path):
    folder = written(tmp_path, "llama-bpe", keys={"tokenizer.ggml.add_bos_token": True})
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("hello").input_ids[0] == tokenizer.bos_token_id == 1
    assert tokenizer("hello", add_special_tokens=False).input_ids[0] != 1


def test_several_tokens_end_an_answer(tmp_path):
    from convert.gguf.model import read_base

    file = gguf_files.write(tmp_path / "file.gguf", keys={"tokenizer.ggml.eot_token_id": 0})
    assert read_base(read_header(file.path))[1]["eos_token_id"] == [2, 0]


@pytest.mark.parametrize(
    ("pre", "keys", "words"),
    [
        ("smollm", {"tokenizer.ggml.model": "bert"}, "type 'bert'"),
        ("smollm", {"tokenizer.ggml.model": None}, "lacks tokenizer.ggml.model"),
        ("unheard-of", {}, "the pre-tokenizer 'unheard-of'"),
        ("smollm", {"tokenizer.ggml.pre": None}, "no pre-tokenizer"),
        ("smollm", {"tokenizer.ggml.tokens": ["a"]}, "1 tokens"),
        ("smollm", {"tokenizer.ggml.tokens": ["a"] * 9, "tokenizer.ggml.token_type": [1] * 9}, "1 of them different"),
        ("smollm", {"tokenizer.ggml.token_type": [1]}, "1 token types"),
        ("smollm", {"tokenizer.ggml.merges": ["one"]}, "not two tokens"),
        ("smollm", {"tokenizer.ggml.merges": ["a b c"]}, "not two tokens"),
        ("smollm", {"tokenizer.ggml.merges": ["a nowhere"]}, "not in its vocabulary"),
        ("smollm", {"tokenizer.ggml.merges": 3}, "not a list of texts"),
        ("smollm", {"tokenizer.ggml.eos_token_id": 100_000}, "the eos token is 100000"),
        ("llama", {"tokenizer.ggml.scores": [0.5]}, "1 scores"),
        ("smollm", {"tokenizer.chat_template": 7}, "not text"),
    ],
)  # fmt: skip
def test_vocabularies_that_are_refused(tmp_path, pre, keys, words):
    with pytest.raises(CheckpointError, match=words) as caught:
        written(tmp_path, pre, keys=keys)
    assert "\n" not in str(caught.value)


def test_tokenizer_json_is_the_whole_truth(tmp_path):
    """transformers picks no class of its own, which would split by other rules."""
    folder = written(tmp_path, "smollm")
    stored = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    loaded = json.loads(AutoTokenizer.from_pretrained(folder).backend_tokenizer.to_str())
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        assert loaded[part] == stored[part]
