"""A base's tokenizer as mlx-lm wraps it, with what mlx-lm and transformers get wrong about Mistral's put right.

The files are never touched. Three things are decided in memory:

- A tokenizer that splits into bytes (`ByteLevel` in its `pre_tokenizer`) must be put together from bytes. mlx-lm
  goes by the `decoder` alone, which in Mistral's files can be SentencePiece's or absent: `Ġ` appears for spaces.
- `tekken.json` has the pattern words are split by; older conversions of it to `tokenizer.json` have another one.
- With mistral-common installed and a `tekken.json` there, transformers takes another class, which refuses what
  mlx-lm passes; an explicit `fix_mistral_regex` keeps it from that.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlx_lm.tokenizer_utils import TokenizerWrapper


def load_tokenizer(folder: Path, eos_token_ids: int | list[int] | None = None) -> TokenizerWrapper:
    """Load the tokenizer of a base.

    Args:
        folder: of the base.
        eos_token_ids: tokens that end an answer, of the base's configuration.

    Raises:
        OSError: when there is no tokenizer.
        ValueError: when it is damaged.
    """
    from mlx_lm.tokenizer_utils import BPEStreamingDetokenizer
    from mlx_lm.utils import load_tokenizer as load
    from tokenizers import decoders

    pattern = _section(folder / "tekken.json", "config").get("pattern")
    # False: transformers' fix goes by the model's name; ours goes by the file.
    wrapper = load(folder, None if pattern is None else {"fix_mistral_regex": False}, eos_token_ids)
    backend = getattr(wrapper, "backend_tokenizer", None)
    if backend is None or not _is_byte_level(folder / "tokenizer.json"):
        return wrapper
    if pattern is not None:
        _split_by(backend, pattern)
    backend.decoder = decoders.ByteLevel()
    if not isinstance(wrapper._detokenizer, BPEStreamingDetokenizer):
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


def _is_byte_level(path: Path) -> bool:
    splitter = _section(path, "pre_tokenizer")
    return any(step.get("type") == "ByteLevel" for step in splitter.get("pretokenizers", [splitter]))


def _section(path: Path, key: str) -> dict[str, Any]:
    """The object at `key` of a JSON file, without parsing the vocabulary of many megabytes that follows it."""
    if not path.is_file():
        return {}
    text = path.read_text("utf-8")
    found = re.search(rf'"{key}"\s*:\s*', text)
    return (json.JSONDecoder().raw_decode(text, found.end())[0] or {}) if found else {}


def _split_by(backend: Any, pattern: str) -> None:
    from tokenizers import Regex, pre_tokenizers

    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
