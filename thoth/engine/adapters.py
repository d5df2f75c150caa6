"""A set of chunks -> the adapter that a question runs with. Runs on the MLX thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from thoth.library.records import ChunkRef

if TYPE_CHECKING:
    import mlx.nn as nn

    from mlx_hypernet.live import Fitted
    from thoth.library.library import Library

Refs = tuple[ChunkRef, ...]

# Composing an adapter of nano costs more than reading a prompt with it, so those of the last questions are kept.
_KEPT_BYTES = 256 << 20


class Adapters:
    """Composes adapters, and keeps those in use, the last one, and as many before it as memory is allowed for.

    Args:
        model: the base.
        library: the library with the adapters of the chunks.
        kept_bytes: memory limit of those that are kept for later questions.
    """

    def __init__(self, model: nn.Module, library: Library, kept_bytes: int = _KEPT_BYTES) -> None:
        self._model, self._library, self._kept_bytes = model, library, kept_bytes
        self._in_use: WeakValueDictionary[Refs, Fitted] = WeakValueDictionary()
        self._kept: OrderedDict[Refs, Fitted] = OrderedDict()  # the last one last

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
        self._kept[refs] = fitted
        self._kept.move_to_end(refs)
        while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > self._kept_bytes:
            self._kept.popitem(last=False)
        return fitted


def sorted_refs(refs: Iterable[ChunkRef]) -> Refs:
    """Sort a set of chunks: an adapter is a sum, so equal sets are equal adapters."""
    return tuple(sorted(set(refs)))
