"""What a `tokenizer.json` may hold: the tokenizers library panics at the rest, or allocates gigabytes for it.

A panic ends in a Python exception, but Rust has written its own lines to stderr by then. The file of a large
vocabulary takes a second to parse, so one that holds none of the dangerous parts is only searched.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PREFIX = "continuing_subword_prefix"
_MOST_PREFIX = 16  # letters
_LARGE_NUMBER = re.compile(rb'"\s*:\s*[1-9]\d{8}')
_DANGEROUS = (  # one by one: each begins with a text, which is found ten times as fast as one of several
    re.compile(rb'"continuing_subword_prefix"\s*:\s*"[^"]'),
    re.compile(rb'"Precompiled"'),
    re.compile(rb"\\u00(?:[46][1-9a-fA-F]|[57][0-9aA])"),  # letters in escapes could hide them; no honest writer does
)


class TokenizerFileError(ValueError):
    """A `tokenizer.json` that is refused for what it says."""


def check(path: Path) -> None:
    """Refuse a `tokenizer.json` before the tokenizers library reads it; a missing or damaged one is left to that.

    Raises:
        TokenizerFileError: The message names the part.
    """
    data = path.read_bytes() if path.is_file() else b""
    if _LARGE_NUMBER.search(data):  # the library makes a table of all ids up to the largest
        raise TokenizerFileError("tokenizer.json has a number of more than eight digits, which no id is")
    if not any(part.search(data) for part in _DANGEROUS):
        return
    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(parsed, dict):
        _check_prefix(parsed.get("model"))
        for text in _charsmaps(parsed.get("normalizer")):
            if not _is_sound(text):
                raise TokenizerFileError("precompiled_charsmap in tokenizer.json is damaged")


def _check_prefix(model: object) -> None:
    """The library cuts words by the prefix, and the second half of each merge, whatever their length is."""
    prefix = model.get(_PREFIX) if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(prefix, str) or not prefix:
        return
    if len(prefix) > _MOST_PREFIX:
        raise TokenizerFileError(f"{_PREFIX} in tokenizer.json is longer than {_MOST_PREFIX} letters")
    merges = model.get("merges")
    for merge in merges if isinstance(merges, list) else ():
        parts = merge.split(" ") if isinstance(merge, str) else merge
        if not (isinstance(parts, list) and len(parts) == 2 and str(parts[1]).startswith(prefix)):
            raise TokenizerFileError(f"a merge in tokenizer.json lacks its {_PREFIX}")


def _charsmaps(normalizer: object) -> Iterator[Any]:
    """The maps of letters in a normalizer and those inside it."""
    pending = [normalizer]
    while pending:
        step = pending.pop()
        if isinstance(step, dict):
            pending += step["normalizers"] if isinstance(step.get("normalizers"), list) else []
            if step.get("type") == "Precompiled":
                yield step.get("precompiled_charsmap")


def _is_sound(text: object) -> bool:
    """Whether no text leads out of a map of letters.

    Args:
        text: base64 of its size in bytes, a trie of such units (32 bits, little endian) and the replacements, each
            ended by NUL: SentencePiece's `precompiled_charsmap`. A unit holds a letter (8 bits), whether it has a
            value (bit 8), and how far away its children are (bits 9 to 31); a value is a place in the replacements.
    """
    import numpy as np

    try:
        data = base64.b64decode(str(text), validate=True)
    except ValueError:
        return False
    size = int.from_bytes(data[:4], "little") // 4 * 4
    if not 0 < size <= len(data) - 4:
        return False
    units = np.frombuffer(data, "<u4", size // 4, offset=4).astype(np.int64)
    replaced = np.frombuffer(data, np.uint8, offset=4 + size)
    units_with_letters = np.flatnonzero(units >> 31 == 0)
    letters = units[units_with_letters]
    children = units_with_letters ^ ((letters >> 10) << ((letters & 1 << 9) >> 6))
    # A child is at the place of all children with its letter in the low 8 bits.
    if (children | 0xFF).max(initial=0xFF) >= len(units):
        return False
    values = units[children[letters >> 8 & 1 == 1]] & 0x7FFF_FFFF
    if values.max(initial=0) > len(replaced):
        return False
    begun = values[values < len(replaced)]
    return not bool((replaced[begun] & 0xC0 == 0x80).any())  # within a letter of UTF-8
