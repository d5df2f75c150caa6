"""A base's tokenizer as transformers loads it, corrected by `mlx_hypernet/format/tokenizer.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlx_hypernet.format.tokenizer import correct, panics_as_errors, tekken_pattern
from mlx_hypernet.format.vetting import check_code
from torch_train.errors import TrainingError, one_line


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a base; its ids are those of `mlx_hypernet.tokenizer.load_tokenizer`.

    Raises:
        TrainingError: There is none, or it is damaged.
    """
    from transformers import AutoTokenizer

    try:
        check_code(folder)
        pattern = tekken_pattern(folder)
        # Where mistral-common is installed (vLLM brings it), transformers would take its class, which has no template.
        mistral = {} if pattern is None else {"mistral_format": False, "fix_mistral_regex": False}
        with panics_as_errors():
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **mistral)
        correct(tokenizer, pattern)
    except Exception as error:  # tokenizers raises that class itself
        raise TrainingError(f"{folder} has no usable tokenizer: {one_line(error)}") from error
    return tokenizer


def count_tokens(tokenizer: Any, text: str) -> int:
    """Number of tokens of a text, without special ones.

    Raises:
        TrainingError: The tokenizer fails on it.
    """
    try:
        with panics_as_errors():
            return len(tokenizer.encode(text, add_special_tokens=False))
    except Exception as error:  # tokenizers raises that class itself, of a word without an unknown token for it
        raise TrainingError(f"the tokenizer of {tokenizer.name_or_path} fails on a text: {one_line(error)}") from error
