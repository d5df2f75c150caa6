"""Tokenizers that do not end, grow without end, or say what no tokenizer says: more kinds for `hostile_models.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.hostile_damage import Damage, change, linked, pipe, put, replaced

_FILE, _SETTINGS = "base/tokenizer.json", "base/tokenizer_config.json"
_FLAGS = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
_EXPLODING = {
    "nested plus": r"(\w+\s?)+(\w+\s?)+(\w+\s?)+$X",
    "stars in a star": r"((.*)*)*Q",
    "alternatives that overlap": r"(?:\w|\s|[A-Za-z ])+!!",
    "looking ahead": r"(?=(\w+\s*)+Z)\w",
    "looking back": r"(?<=(?:a|aa)+)b",
    "repeated without end": r"((a{1,1000}){1,1000}){1,1000}",
    "repeated a billion times": r"a{1000000000}",
    "open bracket": r"(",
    "nothing": r"",
    "nested brackets": "(" * 20_000 + "a" + ")" * 20_000,
    "names itself": r"(?<x>a\g<x>|b\g<x>)",
}


def bases() -> dict[str, Damage]:
    """Bases with such tokenizers."""
    return (
        {f"splits by {name}": _splits({"Regex": pattern}) for name, pattern in _EXPLODING.items()}
        | {f"replaces {name}": _replaces(pattern) for name, pattern in list(_EXPLODING.items())[:5]}
        | _tokens()
        | _steps()
        | _settings()
    )


def _tokens() -> dict[str, Damage]:
    """Damages of the vocabulary."""

    def model(name: str, **values: object) -> tuple[str, Damage]:
        return name, change(_FILE, **{f"model__{key}": value for key, value in values.items()})

    def whole(name: str, **values: object) -> tuple[str, Damage]:
        return name, change(_FILE, model=values)

    letters = {chr(97 + n): n for n in range(26)}
    return dict(
        (
            model("unknown token that is none", unk_token="nowhere"),
            model("words are drawn", dropout=0.99),
            model("prefix of a megabyte", continuing_subword_prefix="x" * 1_000_000),
            model("merges are numbers", merges=[[1, 2]]),
            model("merges are text", merges=["a"]),
            model("merge of three", merges=["a b c"]),
            whole("empty vocabulary", type="BPE", vocab={}, merges=[]),
            whole("ids below zero", type="BPE", vocab={"a": -1}, merges=[]),
            whole("ids beyond all", type="BPE", vocab={"a": 2**31}, merges=[]),
            whole("ids as text", type="BPE", vocab={"a": "0"}, merges=[]),
            whole("two tokens of an id", type="BPE", vocab={"a": 0, "b": 0}, merges=[]),
            whole("words without an unknown one", type="WordLevel", vocab=letters, unk_token="none"),
            whole(
                "pieces without an unknown one",
                type="WordPiece",
                vocab=letters,
                unk_token="none",
                continuing_subword_prefix="##",
                max_input_chars_per_word=0,
            ),
            whole("scores that are no numbers", type="Unigram", vocab=[["a", "x"]], unk_id=0),
            whole("unknown score beyond", type="Unigram", vocab=[["a", -1.0]], unk_id=99),
            whole("no pieces", type="Unigram", vocab=[], unk_id=None),
            whole("type of its own", type="Evil"),
        )
    ) | {
        "a million merges": _edited(_many_merges),
        "200,000 merges of one letter": _edited(_long_merges),
        "added tokens with escapes": _added("\x1b[2J", "\x00", "a\nthoth: all is well", "\u202e"),
        "added token of nothing": _added(""),
        "added token is a space": _added(" "),
        "added tokens are letters": _added(*"abcdefghijklmnopqrstuvwxyz"),
        "added token of 10 MB": _added("x" * 10_000_000),
        "added token with half a surrogate": _edited(lambda data: data.update(added_tokens=[{"content": "\ud800"}])),
        "added tokens share an id": _edited(
            lambda data: data["added_tokens"].extend({"id": 5, "content": f"<{n}>", **_FLAGS} for n in range(9))
        ),
        "added token below zero": _edited(
            lambda data: data["added_tokens"].append({"id": -1, "content": "<x>", **_FLAGS})
        ),
        "added tokens are a number": change(_FILE, added_tokens=5),
    }


def _steps() -> dict[str, Damage]:
    """Damages of what comes before and after the vocabulary."""

    def says(**values: object) -> Damage:
        return change(_FILE, **values)

    def normal(**values: object) -> Damage:
        return says(normalizer=values)

    deep: dict[str, Any] = {"type": "Sequence", "normalizers": []}
    for _ in range(100):
        deep = {"type": "Sequence", "normalizers": [deep]}
    long_word = {"type": "Replace", "pattern": {"String": "a"}, "content": "b" * 10_000_000}
    return {
        "text is filled up to a billion": says(
            padding={"strategy": {"Fixed": 10**9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                     "pad_type_id": 0, "pad_token": "x"}
        ),
        "text is filled up to a multiple": says(
            padding={"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": 2**40, "pad_id": 0,
                     "pad_type_id": 0, "pad_token": "x"}
        ),
        "text is cut to nothing": says(
            truncation={"direction": "Right", "max_length": 0, "strategy": "LongestFirst", "stride": 0}
        ),
        "text is cut with a stride": says(
            truncation={"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 100}
        ),
        "text in front of 10 MB": normal(type="Prepend", prepend="word " * 2_000_000),
        "text becomes 10 MB": normal(**long_word),
        "text becomes nothing": normal(type="Replace", pattern={"Regex": "[\\s\\S]"}, content=""),
        "map that is no map": normal(type="Precompiled", precompiled_charsmap="AAAA" * 1000),
        "nested normalizers": says(normalizer=deep),
        "decodes to 10 MB": says(decoder=long_word),
        "decodes to a sequence of 10 MB": says(decoder={"type": "Sequence", "decoders": [long_word] * 3}),
        "decodes to nothing": says(decoder={"type": "Strip", "content": "e", "start": 10**9, "stop": 10**9}),
        "splits by a word of 10 MB": says(
            pre_tokenizer={"type": "Metaspace", "replacement": "xx", "prepend_scheme": "always", "split": True}
        ),
        "frame of tokens that are none": says(
            post_processor={"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<x>", "type_id": 0}}],
                            "pair": [], "special_tokens": {}}
        ),
        "frame of 100,000 tokens": says(
            post_processor={
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<x>", "type_id": 0}}] * 100_000 + [{"Sequence": {"id": "A",
                                                                                                   "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<x>": {"id": "<x>", "ids": [10**9], "tokens": ["<x>"]}},
            }
        ),
        "version of its own": says(version="9.9"),
    }  # fmt: skip


def _settings() -> dict[str, Damage]:
    """Damages of what stands beside the vocabulary."""

    def says(**values: object) -> Damage:
        return change(_SETTINGS, **values)

    return {
        "settings in a deep object": says(deep=json.loads('{"a":' * 400 + "1" + "}" * 400)),
        "reads backwards": says(model_max_length=-1),
        "reads in words": says(model_max_length="x", padding_side="up", truncation_side=5),
        "special tokens are a map": says(extra_special_tokens={"evil": 5}, additional_special_tokens={"a": 1}),
        "special tokens with escapes": says(additional_special_tokens=["\x1b[2J"], eos_token="\x1b[31m"),
        "end is a number": says(eos_token=5, bos_token=[1]),
        "end is an object": says(eos_token={"__type": "AddedToken"}),
        "decoder of numbers": says(added_tokens_decoder={"x": {"content": "y"}}),
        "decoder beyond": says(added_tokens_decoder={str(10**12): {"content": "y", **_FLAGS}}),
        "decoder of 100,000": says(
            added_tokens_decoder={str(n): {"content": f"<{n}>", **_FLAGS} for n in range(10**5)}
        ),
        "class of another model": says(tokenizer_class="LlamaTokenizer"),
        "slow class": says(tokenizer_class="BertTokenizer"),
        "class of transformers itself": says(tokenizer_class="PreTrainedModel"),
        "class by an empty name": says(tokenizer_class=""),
        "templates by name": says(chat_template=[{"name": "default", "template": "{% for %}"}, {"name": 5}]),
        "template is a map": says(chat_template={"default": "{{ messages }}"}),
        "settings without a byte": replaced(_SETTINGS, b""),
        "settings never end": linked(_SETTINGS, "/dev/zero"),
        "tokenizer without a byte": replaced(_FILE, b""),
        "special tokens file is a pipe": pipe("base/special_tokens_map.json"),
        "special tokens file of numbers": _beside("special_tokens_map.json", '{"eos_token": 5, "pad_token": [[]]}'),
        "added tokens file of nonsense": _beside("added_tokens.json", '{"a": "b"}'),
        "sentencepiece of zeros": _beside("tokenizer.model", b"\0" * 10_000),
        "sentencepiece alone": _alone("tokenizer.model", b"\x0a\xff\xff\xff\xff\x07" * 1000),
        "vocabulary and merges alone": _alone("vocab.json", '{"a": 0}'),
        "template of the old file": _beside("chat_template.json", '{"chat_template": 5}'),
        "more templates": _folder_of_templates,
        "tekken that lies": _beside("tekken.json", '{"config": {"pattern": "(a+)+$"}, "vocab": 5}'),
        "tekken with another pattern": _beside("tekken.json", '{"config": {"pattern": 5}}'),
        "tekken with half a pattern": _beside("tekken.json", '{"config": {"pattern": "("}}'),
        "tekken is a pipe": pipe("base/tekken.json"),
    }


def _edited(edit: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(pair: Path) -> None:
        data = json.loads((pair / _FILE).read_text())
        edit(data)
        put(pair / _FILE, json.dumps(data))

    return damage


def _added(*contents: str) -> Damage:
    """Tokens behind nano's own."""
    tokens = [{"id": 2048 + place, "content": text, **_FLAGS} for place, text in enumerate(contents)]
    return _edited(lambda data: data["added_tokens"].extend(tokens))


def _many_merges(data: dict[str, Any]) -> None:
    vocabulary = data["model"]["vocab"]
    letters = [token for token in vocabulary if len(token) == 1][:50]
    pairs = [first + second for first in letters for second in letters]
    for word in [*pairs, *(pair + other for pair in pairs for other in pairs)][:1_000_000]:
        vocabulary.setdefault(word, len(vocabulary))
    data["model"]["merges"] = [
        [word[: len(word) // 2], word[len(word) // 2 :]]
        for word in vocabulary
        if len(word) in (2, 4) and {word[: len(word) // 2], word[len(word) // 2 :]} <= vocabulary.keys()
    ]


def _long_merges(data: dict[str, Any]) -> None:
    vocabulary = data["model"]["vocab"]
    words = ["a" * length for length in range(1, 5_000)]
    for word in words:
        vocabulary.setdefault(word, len(vocabulary))
    data["model"]["merges"] = [["a", word] for word in words[:-1]]


def _splits(pattern: dict[str, str]) -> Damage:
    split = {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
    in_bytes = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return change(_FILE, pre_tokenizer={"type": "Sequence", "pretokenizers": [split, in_bytes]})


def _replaces(pattern: str) -> Damage:
    return change(_FILE, normalizer={"type": "Replace", "pattern": {"Regex": pattern}, "content": "x"})


def _beside(name: str, data: str | bytes) -> Damage:
    return replaced(f"base/{name}", data)


def _alone(name: str, data: str | bytes) -> Damage:
    def damage(pair: Path) -> None:
        (pair / _FILE).unlink()
        put(pair / "base" / name, data)

    return damage


def _folder_of_templates(pair: Path) -> None:
    (pair / "base" / "additional_chat_templates").mkdir()
    put(pair / "base" / "additional_chat_templates" / "evil.jinja", "{% for %}")
    put(pair / "base" / "additional_chat_templates" / "default.jinja", "{{ 'x' * 10**9 }}")
