"""Key/value caches by what is attached: a question that goes on where an earlier one ended reads only what is new.

Keys and values depend on the adapter, so every set of attached chunks has caches of its own. Runs on the MLX thread.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import mlx.nn as nn

_MOST_CONVERSATIONS = 256  # so that thousands of tiny ones do not slow the search down; bytes are the limit that counts


class KeyValueCaches:
    """Caches of the conversations that were answered last, least recently used ones dropped first.

    Args:
        max_bytes: most memory they may take together; 0 keeps none.
    """

    def __init__(self, max_bytes: int) -> None:
        from mlx_lm.models.cache import LRUPromptCache

        self._max_bytes = max_bytes
        self._caches = LRUPromptCache(_MOST_CONVERSATIONS, max_bytes)

    @property
    def nbytes(self) -> int:
        """What the caches take now."""
        return int(self._caches.nbytes)

    def take(self, model: nn.Module, attached: Hashable, ids: Sequence[int]) -> tuple[list[Any], list[int]]:
        """Find the cache that holds most of a prompt's beginning, or make an empty one.

        Args:
            model: for which a cache is made.
            attached: stands for the adapter that is attached to it.
            ids: of the prompt.

        Returns:
            A cache for `mlx_lm.stream_generate`, which may write to it, and the ids that are not in it: one at least,
            for the model answers to what it reads last.
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
        """Keep a cache for the questions to come.

        Args:
            attached: as for `take`.
            ids: all that the model has read with this cache: prompt and answer.
            cache: the one that `take` gave; whoever calls must not use it any more.
        """
        if self._max_bytes:
            self._caches.insert_cache(attached, list(ids), cache)
