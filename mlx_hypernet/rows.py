"""One batch, many documents: which adapter each row of mlx-lm's `BatchGenerator` runs with.

The generator moves rows about: prompts are read in one batch, answers decoded in another, rows come and go between
tokens. Whatever it does to a row it does to the row's caches. So the adapter of a row travels as one more cache, after
those of the layers, and the model that the generator is given looks there before each step.

    generator = BatchGenerator(RowModel(model), ...)
    generator.insert([ids], caches=[[*make_prompt_cache(model), Rows([fit(model, adapter)])]])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import mlx.core as mx
from mlx import nn

from mlx_hypernet.live import Fitted, alike, batched, check_alike, put, wrapped
from mlx_hypernet.row_linear import RowLinear


class Rows:
    """The adapters of the rows of a batch, with the methods that mlx-lm calls on caches.

    Args:
        adapters: of each row; None for the base alone.
    """

    def __init__(self, adapters: Sequence[Fitted | None]) -> None:
        self.adapters = list(adapters)
        self._batched: tuple[Fitted | None] | None = None

    @property
    def batched(self) -> Fitted | None:
        """All of them as one, made again only after rows came or went."""
        if self._batched is None:
            self._batched = (batched(self.adapters),)
        return self._batched[0]

    @staticmethod
    def merge(caches: Sequence[Rows]) -> Rows:
        """Rows of several batches as one batch."""
        return Rows([adapter for one in caches for adapter in one.adapters])

    def extend(self, other: Rows) -> None:
        """Append the rows of another batch."""
        self._change([*self.adapters, *other.adapters])

    def filter(self, keep: Sequence[int]) -> None:
        """Keep these rows alone, in this order."""
        self._change([self.adapters[row] for row in keep])

    def extract(self, row: int) -> Rows:
        """One row by itself."""
        return Rows([self.adapters[row]])

    def prepare(self, **_: Any) -> None:
        """Do nothing: adapters do not depend on padding."""

    def finalize(self) -> None:
        """See `prepare`."""

    @property
    def state(self) -> list[mx.array]:
        """Nothing to evaluate: adapters are, before they come here."""
        return []

    @property
    def nbytes(self) -> int:
        """Adapters are counted where they are kept."""
        return 0

    def __deepcopy__(self, memo: object) -> Self:
        """The generator copies a batch to split it; what is in an adapter never changes."""
        return type(self)(self.adapters)

    def _change(self, adapters: list[Fitted | None]) -> None:
        if adapters != self.adapters:
            self._batched = None
        self.adapters = adapters


class RowModel:
    """A base that runs each row of a batch with the adapter it finds after the row's caches.

    Args:
        model: the base, as mlx-lm loads it.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._shown: list[Fitted | None] | None = None  # the rows of the last call
        self._last: Fitted | None = None  # the adapter that modules were wrapped for
        self._linears: dict[tuple[int, int], RowLinear] = {}

    def __call__(self, tokens: mx.array, cache: Sequence[Any]) -> mx.array:
        """Token ids (rows, T) and the caches of the layers followed by `Rows` -> logits (rows, T, vocabulary)."""
        *layers, rows = cache
        if self._shown != rows.adapters:
            self._show(rows)
        logits: mx.array = self._model(tokens, cache=layers)
        return logits

    def _show(self, rows: Rows) -> None:
        """Tell each wrapped module what it adds to each row."""
        given = list(dict.fromkeys(adapter for adapter in rows.adapters if adapter is not None))
        if given:
            check_alike(given)
        first, self._shown = self._shown is None, None
        if first or (given and self._last is not None and not alike(self._last, given[0])):
            put(self._model, None)  # what others attached, or an adapter for other modules
            self._linears = {}
        if given:
            self._linears, self._last = wrapped(self._model, given[0]), given[0]
        # A stack is one product for all rows, but on a CPU copying it takes longer than the products of many steps.
        apart = len(set(rows.adapters)) > 1 and mx.default_device() == mx.Device(mx.cpu)
        one = None if apart else rows.batched
        every = [one] if one is not None else rows.adapters if given else []
        for (layer, at), linear in self._linears.items():
            pairs = [None if row is None else row.matrices[layer][at] for row in every]
            linear.adapt(pairs, given[0].scale if given else 0.0)
        self._shown = list(rows.adapters)
