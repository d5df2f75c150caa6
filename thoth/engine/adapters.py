"""A set of chunks -> the adapter that a question runs with. Runs on the MLX thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from thoth.library.records import ChunkRef

if TYPE_CHECKING:
    import mlx.nn as nn

    from mlx_hypernet.live import Fitted
    from thoth.library.library import Library

Refs = tuple[ChunkRef, ...]


class Adapters:
    """Composes adapters, and keeps those in use and the last one: the next question mostly needs the same.

    Args:
        model: the base.
        library: the library with the adapters of the chunks.
    """

    def __init__(self, model: nn.Module, library: Library) -> None:
        self._model, self._library = model, library
        self._in_use: WeakValueDictionary[Refs, Fitted] = WeakValueDictionary()
        self._last: Fitted | None = None

    def of(self, refs: Refs) -> Fitted | None:
        """Return the adapter of these chunks, None for no chunks.

        Args:
            refs: the chunks, as `sorted_refs` returns them.

        Raises:
            ThothError: The adapters cannot be read.
        """
        if not refs:
            return None
        fitted = self._in_use.get(refs)
        if fitted is None:
            from mlx_hypernet import live
            from mlx_hypernet.adapter import Composition

            fitted = self._in_use[refs] = live.fit(self._model, Composition(self._library.each(refs)))
        self._last = fitted
        return fitted


def sorted_refs(refs: Iterable[ChunkRef]) -> Refs:
    """Sort a set of chunks: an adapter is a sum, so equal sets are equal adapters."""
    return tuple(sorted(set(refs)))
