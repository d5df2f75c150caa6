"""From a document's text to the chunks the encoder reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mlx_hypernet.template import template_ids


def document_ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a document as the hypernetwork was trained to read it.

    The document, stripped, is the user's message below an empty system message, with the generation prompt.
    """
    return template_ids(tokenizer, [{"role": "user", "content": text.strip()}])


def split(ids: Sequence[int], max_tokens: int, prefix_ids: Sequence[int], suffix_ids: Sequence[int]) -> list[list[int]]:
    """Cut a templated document into chunks of equal length; no token is lost.

    Args:
        ids: the whole document after the chat template.
        max_tokens: longest chunk, not counting the prefix and suffix that are put around it.
        prefix_ids: the template's ids in front, added to every chunk that does not begin with them.
        suffix_ids: the template's ids behind, added to every chunk that does not end with them.

    Raises:
        ValueError: for an empty document or a chunk length below 1.
    """
    if not ids or max_tokens < 1:
        raise ValueError(f"cannot cut {len(ids)} tokens into chunks of {max_tokens}")
    prefix, suffix = list(prefix_ids), list(suffix_ids)
    length = math.ceil(len(ids) / math.ceil(len(ids) / max_tokens))
    chunks = []
    for start in range(0, len(ids), length):
        chunk = list(ids[start : start + length])
        if chunk[: len(prefix)] != prefix:
            chunk = prefix + chunk
        if suffix and chunk[-len(suffix) :] != suffix:
            chunk = chunk + suffix
        chunks.append(chunk)
    return chunks
