"""The set of chunks whose adapters are attached to the base. Runs on the MLX thread."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from thoth.library.records import ChunkRef

if TYPE_CHECKING:
    import mlx.nn as nn

    from thoth.library.library import Library


class Attached:
    """Attaches one set of chunks to a base at a time.

    Args:
        model: the base.
        library: the library with the adapters.

    Attributes:
        refs: the attached chunks, sorted: an adapter is a sum, so equal sets are equal adapters.
        rank: rank of the attached adapter, 0 without one.
    """

    def __init__(self, model: nn.Module, library: Library) -> None:
        self._model, self._library = model, library
        self.refs: tuple[ChunkRef, ...] = ()
        self.rank = 0

    def set(self, refs: Iterable[ChunkRef]) -> None:
        """Attach these chunks and no others; does nothing if they are attached already.

        Raises:
            ThothError: The adapters cannot be read; the attached chunks stay attached.
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
