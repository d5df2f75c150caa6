"""A base's tokenizer as mlx-lm wraps it, corrected by `format/tokenizer.py`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlx_hypernet.format.tokenizer import correct, panics_as_errors, tekken_pattern

if TYPE_CHECKING:
    from mlx_lm.tokenizer_utils import TokenizerWrapper


def load_tokenizer(folder: Path, eos_token_ids: int | list[int] | None = None) -> TokenizerWrapper:
    """Load the tokenizer of a base.

    Args:
        folder: folder of the base.
        eos_token_ids: tokens that end an answer, from the base's configuration.

    Raises:
        OSError: when there is no tokenizer.
        ValueError: when it is damaged.
    """
    from mlx_lm.tokenizer_utils import BPEStreamingDetokenizer
    from mlx_lm.utils import load_tokenizer as load

    pattern = tekken_pattern(folder)
    # With mistral-common installed, transformers takes another class, which refuses what mlx-lm passes, unless this
    # option is set. False: transformers' fix goes by the model's name; ours goes by the file.
    mistral = {} if pattern is None else {"fix_mistral_regex": False}
    with panics_as_errors():
        wrapper = load(folder, {"trust_remote_code": False} | mistral, eos_token_ids)
    # mlx-lm chooses how to stream by the decoder that the file names.
    if correct(wrapper, pattern) and not isinstance(wrapper._detokenizer, BPEStreamingDetokenizer):
        wrapper._detokenizer = BPEStreamingDetokenizer(wrapper._tokenizer)
    return wrapper


def streamed(tokenizer: TokenizerWrapper, text: str) -> str:
    """`text` in tokens, put together again one by one as a streamed answer is."""
    detokenizer = tokenizer.detokenizer
    parts = []
    for token in tokenizer.encode(text, add_special_tokens=False):
        detokenizer.add_token(token)
        parts.append(detokenizer.last_segment)
    detokenizer.finalize()
    return "".join([*parts, detokenizer.last_segment])
