"""A base's tokenizer, and what its chat template puts around every document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Regex, decoders, pre_tokenizers

from torch_train.errors import TrainingError
from torch_train.prompt import document_ids

_MARKERS = ("Alpha 7", "yes?")  # neither their first nor their last characters are alike


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer beside a base, with what transformers gets wrong about Mistral's put right.

    The same as `mlx_hypernet.tokenizer.load_tokenizer`: a `tekken.json` says by which pattern words are split, and what
    is split into bytes is put together from bytes, whatever `decoder` the files name.

    Raises:
        TrainingError: There is none, or it is damaged.
    """
    from transformers import AutoTokenizer

    try:
        tekken = folder / "tekken.json"
        pattern = json.loads(tekken.read_bytes())["config"]["pattern"] if tekken.is_file() else None
        # Where mistral-common is installed (vLLM brings it), transformers would take its class, which has no template.
        mistral = {} if pattern is None else {"mistral_format": False, "fix_mistral_regex": False}
        tokenizer = AutoTokenizer.from_pretrained(folder, **mistral)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{folder} has no tokenizer: {str(error).splitlines()[0]}") from error
    backend = getattr(tokenizer, "backend_tokenizer", None)
    splitter = getattr(backend, "pre_tokenizer", None)
    if splitter is not None and b'"ByteLevel"' in splitter.__getstate__():
        backend.decoder = decoders.ByteLevel()
        if pattern is not None:
            words = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
            bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
            backend.pre_tokenizer = pre_tokenizers.Sequence([words, bytes_])
    return tokenizer


def template_ids(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids in front of and behind every templated document: those that two unlike documents share.

    Ministral: (1, 3) = `<s>[INST]` and (4,) = `[/INST]`.
    """
    one, other = (document_ids(tokenizer, marker) for marker in _MARKERS)
    return _shared(one, other), _shared(one[::-1], other[::-1])[::-1]


def _shared(one: list[int], other: list[int]) -> tuple[int, ...]:
    length = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return tuple(one[:length])
