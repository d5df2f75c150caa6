"""A base's tokenizer, with what transformers gets wrong about Mistral's put right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Regex, decoders, pre_tokenizers

from torch_train.errors import TrainingError


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer beside a base.

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
