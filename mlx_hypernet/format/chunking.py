"""From a templated document to the chunks that the encoder reads."""

from __future__ import annotations

import math
from collections.abc import Sequence


def split(ids: Sequence[int], max_tokens: int, prefix_ids: Sequence[int], suffix_ids: Sequence[int]) -> list[list[int]]:
    """Cut a templated document into chunks of equal length; no token is lost.

    Args:
        ids: the whole document after the chat template.
        max_tokens: longest chunk, not counting the affixes that are put around it.
        prefix_ids: the template's ids in front, added to every chunk that does not begin with them.
        suffix_ids: the template's ids at the end, added to every chunk that does not end with them.

    Raises:
        ValueError: for an empty document or a chunk length below 1.
    """
    if not ids or max_tokens < 1:
        raise ValueError(f"cannot cut {len(ids)} tokens into chunks of {max_tokens}")
    return cut(ids, equal_lengths(len(ids), max_tokens), prefix_ids, suffix_ids)


def cut(
    ids: Sequence[int], lengths: Sequence[int], prefix_ids: Sequence[int], suffix_ids: Sequence[int]
) -> list[list[int]]:
    """Cut a templated document into chunks of these lengths, with the template's ids around each.

    Args:
        ids: the whole document after the chat template.
        lengths: tokens of each chunk; their sum is the document's.
        prefix_ids: as in `split`.
        suffix_ids: as in `split`.
    """
    prefix, suffix = list(prefix_ids), list(suffix_ids)
    chunks, start = [], 0
    for length in lengths:
        chunk = list(ids[start : start + length])
        start += length
        if chunk[: len(prefix)] != prefix:
            chunk = prefix + chunk
        if suffix and chunk[-len(suffix) :] != suffix:
            chunk = chunk + suffix
        chunks.append(chunk)
    return chunks


def equal_lengths(tokens: int, longest: int) -> list[int]:
    """As few equal lengths as possible, none above `longest`; the last one may be shorter."""
    length = math.ceil(tokens / math.ceil(tokens / longest))
    return [min(length, tokens - start) for start in range(0, tokens, length)]
