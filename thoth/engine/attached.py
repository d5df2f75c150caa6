"""The set of chunks whose adapters are attached to the base now. Runs on the MLX thread."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from thoth.library.library import Library
from thoth.library.records import ChunkRef

if TYPE_CHECKING:
    import mlx.nn as nn


class Attached:
    """Attaches sets of chunks to a base, one in place of the other.

    Args:
        model: the base.
        library: where the adapters are.

    Attributes:
        refs: the attached chunks, in an order of their own: an adapter is a sum, so equal sets are equal adapters.
        rank: of the attached adapter, 0 without one.
    """

    def __init__(self, model: nn.Module, library: Library) -> None:
        self._model, self._library = model, library
        self.refs: tuple[ChunkRef, ...] = ()
        self.rank = 0

    def set(self, refs: Iterable[ChunkRef]) -> None:
        """Attach these chunks and no others; does nothing where they are attached already.

        Raises:
            ThothError: The adapters cannot be read; what was attached still is.
        """
        wanted = tuple(sorted(set(refs)))
        if wanted == self.refs:
            return
        from mlx_hypernet import live
        from mlx_hypernet.adapter import Composition

        if wanted:
            composition = Composition(self._library.each(wanted))
            with ExitStack() as half_done:
                half_done.callback(self._detach)
                live.attach(self._model, composition)
                half_done.pop_all()
            self.refs, self.rank = wanted, composition.rank
        else:
            self._detach()

    def _detach(self) -> None:
        from mlx_hypernet import live

        live.detach(self._model)
        self.refs, self.rank = (), 0
