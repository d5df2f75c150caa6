"""What loaders get wrong about Mistral's tokenizer files, corrected in memory; the files are never touched.

- A tokenizer that splits into bytes (`ByteLevel` in its `pre_tokenizer`) must be decoded from bytes, whatever `decoder`
  the files name: in Mistral's it can be SentencePiece's or absent, and then `Ġ` appears for spaces.
- `tekken.json` has the pattern that words are split by; older conversions of it to `tokenizer.json` have another one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any


def tekken_pattern(folder: Path) -> str | None:
    """The pattern that a `tekken.json` splits words by; None where there is no such file.

    Raises:
        ValueError: The file is damaged.
    """
    path = folder / "tekken.json"
    if not path.is_file():
        return None
    text = path.read_text("utf-8")
    found = re.search(r'"config"\s*:\s*', text)  # a vocabulary of many megabytes follows, which is not parsed
    config = json.JSONDecoder().raw_decode(text, found.end())[0] if found else None
    return config.get("pattern") if isinstance(config, dict) else None


def correct(tokenizer: Any, pattern: str | None) -> bool:
    """Make a byte-level tokenizer decode from bytes, and split words as Tekken does.

    Args:
        tokenizer: a tokenizer of transformers, or mlx-lm's wrapper of one.
        pattern: what `tekken_pattern` found; None does not change the splitting.

    Returns:
        Whether it is byte-level; all others are left alone.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    splitter = getattr(backend, "pre_tokenizer", None)
    if backend is None or splitter is None or b'"ByteLevel"' not in splitter.__getstate__():
        return False
    from tokenizers import Regex, decoders, pre_tokenizers

    backend.decoder = decoders.ByteLevel()
    if pattern is not None:
        words = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
        in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        backend.pre_tokenizer = pre_tokenizers.Sequence([words, in_bytes])
    return True
