"""Key/value caches by adapter: a question that continues a conversation reads only the new tokens.

Keys and values depend on the adapter, so every set of attached chunks has its own caches. Runs on the MLX thread.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import mlx.nn as nn

_MOST_CONVERSATIONS = 256  # thousands of tiny caches would slow the search down; the limit that matters is bytes


class KeyValueCaches:
    """Caches of recent conversations; the least recently used one is dropped first.

    Args:
        max_bytes: memory limit of all caches together; 0 keeps none.
    """

    def __init__(self, max_bytes: int) -> None:
        from mlx_lm.models.cache import LRUPromptCache

        self._max_bytes = max_bytes
        self._caches = LRUPromptCache(_MOST_CONVERSATIONS, max_bytes)

    @property
    def nbytes(self) -> int:
        """Memory in use, in bytes."""
        return int(self._caches.nbytes)

    def take(self, model: nn.Module, attached: Hashable, ids: Sequence[int]) -> tuple[list[Any], list[int]]:
        """Find the cache with the longest prefix of a prompt, or make an empty one.

        Args:
            model: the model that a new cache is for.
            attached: key of the attached adapter.
            ids: token ids of the prompt.

        Returns:
            A cache for `mlx_lm.stream_generate`, which may write to it, and the ids that are not in it: at least one,
            because the model predicts from the last token that it reads.
        """
        from mlx_lm.models import cache as caches

        found, rest = self._caches.fetch_nearest_cache(attached, list(ids))
        if found is not None and not rest and caches.can_trim_prompt_cache(found):
            caches.trim_prompt_cache(found, 1)
            rest = list(ids[-1:])
        if found is None or not rest:
            return caches.make_prompt_cache(model), list(ids)
        return found, rest

    def keep(self, attached: Hashable, ids: Sequence[int], cache: list[Any]) -> None:
        """Keep a cache for later questions.

        Args:
            attached: key of the attached adapter.
            ids: token ids that the model has read with this cache: prompt and answer.
            cache: the cache that `take` returned; the caller must not use it afterwards.
        """
        import mlx.core as mx

        if self._max_bytes:
            # mlx-lm cuts a row out of its batch only when it is looked at: until then it holds the caches of all rows.
            # Not `eval`: the rows that remain are at their next token already.
            mx.async_eval([layer.state for layer in cache])
            self._caches.insert_cache(attached, list(ids), cache)
