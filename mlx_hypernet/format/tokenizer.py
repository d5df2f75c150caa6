"""What loaders get wrong about Mistral's tokenizer files, corrected in memory; the files are never touched.

- A tokenizer that splits into bytes (`ByteLevel` in its `pre_tokenizer`) must be decoded from bytes, whatever `decoder`
  the files name: in Mistral's it can be SentencePiece's or absent, and then `Ġ` appears for spaces.
- `tekken.json` has the pattern that words are split by; older conversions of it to `tokenizer.json` have another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_MOST_GROWTH = 64  # the normalizers of published bases write three letters for one at most


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Raise `ValueError` where the tokenizers library breaks off: its own error is none that anybody catches.

    `PanicException` derives from `BaseException`; a thread that it ends answers no more questions.
    """
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"the tokenizers library cannot read it: {error}") from error


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


def growth(backend: Any) -> float:
    """How many times longer a text can become before a tokenizer splits it, by the replacements in its normalizer."""
    normalizer = getattr(backend, "normalizer", None)
    pending, factor = [json.loads(normalizer.__getstate__())] if normalizer is not None else [], 1.0
    while pending:
        step = pending.pop()
        pending += step.get("normalizers") or ()
        if step.get("type") == "Replace":
            pattern = step["pattern"].get("String") or "x"  # a regular expression can match one letter
            factor *= max(1.0, len(step["content"]) / len(pattern))
        elif step.get("type") == "Prepend":
            factor *= max(1, len(step["prepend"]))  # of a text of one letter
    return factor


def correct(tokenizer: Any, pattern: str | None) -> bool:
    """Make a byte-level tokenizer decode from bytes, and split words as Tekken does.

    Args:
        tokenizer: a tokenizer of transformers, or mlx-lm's wrapper of one.
        pattern: what `tekken_pattern` found; None does not change the splitting.

    Returns:
        Whether it is byte-level; all others are left alone.

    Raises:
        ValueError: Its normalizer lets a text grow without end.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    splitter = getattr(backend, "pre_tokenizer", None)
    if growth(backend) > _MOST_GROWTH:
        raise ValueError("its normalizer makes endless text of a few letters")
    if backend is None or splitter is None or b'"ByteLevel"' not in splitter.__getstate__():
        return False
    from tokenizers import Regex, decoders, pre_tokenizers

    backend.decoder = decoders.ByteLevel()
    if pattern is not None:
        words = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
        in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        backend.pre_tokenizer = pre_tokenizers.Sequence([words, in_bytes])
    return True
