"""Adapters in a running model: attach, swap, detach, without touching a weight of the base.

One adapter for everything, or one for each row of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import mlx.core as mx
from mlx import nn

from mlx_hypernet.adapter import Adapter, AdapterError, Composition
from mlx_hypernet.base import base_linear, linear_shape, module_at, replace_modules, target_path, text_model
from mlx_hypernet.row_linear import RowLinear

# Matrices that are computed in one go when an adapter is attached. All 90 MB of 8 chunks of a 3B model take three times
# as long as a few layers at a time, whose memory is used again, and each of nano's small layers costs a wait.
_AT_ONCE_BYTES = 4 << 20


@dataclass(frozen=True, eq=False)  # two that were brought in twice are two
class Fitted:
    """An adapter as the layers of one model take it: checked, in fp32, transposed for `RowLinear`.

    The delta is computed in fp32 and then cast to the base's dtype, as in the reference.

    Attributes:
        paths: path of each target inside its block.
        matrices: block -> for each path A (d_in, r) and B (r, d_out); for a batch (rows, d_in, r) and (rows, r, d_out).
        scale: factor of the adapter, not divided by the rank.
    """

    paths: tuple[str, ...]
    matrices: Mapping[int, tuple[tuple[mx.array, mx.array], ...]]
    scale: float

    @property
    def rank(self) -> int:
        """Total rank; of a batch that of the row with the most."""
        return int(next(iter(self.matrices.values()))[0][0].shape[-1])

    @cached_property
    def nbytes(self) -> int:
        """Memory in use, in bytes."""
        return sum(matrix.nbytes for pairs in self.matrices.values() for pair in pairs for matrix in pair)


def fit(model: nn.Module, adapter: Adapter | Composition) -> Fitted:
    """Bring an adapter into the form that the layers of `model` take; the model is not changed.

    Raises:
        AdapterError: when layers or shapes do not fit.
        UnsupportedBaseError: when the model has no such modules.
    """
    blocks = text_model(model).layers
    first, after = adapter.first_layer, adapter.first_layer + adapter.num_layers
    if after > len(blocks) or (first == 0 and after < len(blocks)):
        raise AdapterError(f"the adapter has {adapter.num_layers} layers from {first} on, the model {len(blocks)}")
    paths = {name: target_path(blocks[0], name) for name in adapter.modules}
    for name, path in paths.items():
        for block in blocks[first:after]:
            if (shape := linear_shape(base_linear(block, path))) != adapter.shape(name):
                raise AdapterError(f"the adapter has {adapter.shape(name)} for {path}, the model {shape}")
    matrices: dict[int, tuple[tuple[mx.array, mx.array], ...]] = {}
    ready: list[mx.array] = []
    for layer in range(adapter.num_layers):
        pairs = [adapter.pair(name, layer) for name in paths]
        matrices[first + layer] = tuple((a.astype(mx.float32).T, b.astype(mx.float32)) for a, b in pairs)
        ready += [matrix for pair in matrices[first + layer] for matrix in pair]
        if layer + 1 == adapter.num_layers or sum(matrix.nbytes for matrix in ready) > _AT_ONCE_BYTES:
            mx.eval(ready)
            ready = []
    return Fitted(tuple(paths.values()), matrices, adapter.scale)


def batched(rows: Sequence[Fitted | None]) -> Fitted | None:
    """The adapters of the rows of one batch as one, padded to the longest rank; None where no row has one.

    Zeros on the rank axis change nothing, so that each row is computed as by itself.

    Args:
        rows: for each row of the batch its adapter, None for the base alone.

    Raises:
        AdapterError: when they come from different hypernetworks.
    """
    given = list(dict.fromkeys(row for row in rows if row is not None))
    if not given:
        return None
    if len(given) == 1 and None not in rows:
        return given[0]  # shared by all rows: nothing is copied
    check_alike(given)
    first, rank = given[0], max(one.rank for one in given)

    def padded(row: Fitted | None, block: int, at: int) -> tuple[mx.array, mx.array]:
        a, b = (row or first).matrices[block][at]
        if row is None:
            return mx.zeros((a.shape[0], rank)), mx.zeros((rank, b.shape[1]))
        if short := rank - a.shape[1]:
            return mx.pad(a, [(0, 0), (0, short)]), mx.pad(b, [(0, short), (0, 0)])
        return a, b

    matrices: dict[int, tuple[tuple[mx.array, mx.array], ...]] = {}
    for block in first.matrices:
        sides = [zip(*(padded(row, block, at) for row in rows), strict=True) for at in range(len(first.paths))]
        matrices[block] = tuple((mx.stack(list(a)), mx.stack(list(b))) for a, b in sides)
        mx.eval(matrices[block])
    return Fitted(first.paths, matrices, first.scale)


def alike(one: Fitted, other: Fitted) -> bool:
    """Tell whether two adapters are for the same modules of the same layers, with the same factor."""
    return (one.paths, one.scale, one.matrices.keys()) == (other.paths, other.scale, other.matrices.keys())


def check_alike(adapters: Sequence[Fitted]) -> None:
    """Check that adapters can be in one batch.

    Raises:
        AdapterError: when they come from different hypernetworks.
    """
    if not all(alike(adapters[0], one) for one in adapters):
        raise AdapterError("these documents were absorbed by different hypernetworks: absorb them again")


def put(model: nn.Module, fitted: Fitted | None) -> None:
    """Make a fitted adapter the model's one active adapter, or take off the one that is attached.

    Each target is wrapped in a `RowLinear`; the base's linear, quantised or not, is not changed inside.
    One that `batched` made is for inputs with that many rows.
    """
    blocks = text_model(model).layers
    for layer, block in enumerate(blocks):  # of an adapter for other modules or layers
        wanted = fitted.paths if fitted is not None and layer in fitted.matrices else ()
        for path in _attached(block).keys() - set(wanted):
            replace_modules(block, {path: base_linear(block, path)})
    if fitted is not None:
        for (layer, at), linear in wrapped(model, fitted).items():
            linear.adapt([fitted.matrices[layer][at]], fitted.scale)


def wrapped(model: nn.Module, fitted: Fitted) -> dict[tuple[int, int], RowLinear]:
    """Wrap the modules that an adapter is for, where they are not wrapped already.

    Returns:
        The wrappers: (block, place in `Fitted.paths`) -> wrapper.
    """
    blocks = text_model(model).layers
    found = {}
    for layer in fitted.matrices:
        for at, path in enumerate(fitted.paths):
            module = module_at(blocks[layer], path)
            if not isinstance(module, RowLinear):
                module = RowLinear(module)
                replace_modules(blocks[layer], {path: module})
            found[layer, at] = module
    return found


def attach(model: nn.Module, adapter: Adapter | Composition) -> None:
    """Make `adapter` the model's one active adapter; an adapter that is attached already is swapped.

    Key/value caches made before belong to another adapter: drop them.

    Raises:
        AdapterError: when layers or shapes do not fit; the model is then unchanged.
        UnsupportedBaseError: when the model has no such modules; the model is then unchanged.
    """
    put(model, fit(model, adapter))


def detach(model: nn.Module) -> None:
    """Take the adapter off; the model is then bit for bit the base. Does nothing where none is attached."""
    put(model, None)


@contextmanager
def bare(model: nn.Module) -> Iterator[None]:
    """The model without its adapter inside the block, and with it again afterwards."""
    attached = _attached(model)
    detach(model)
    try:
        yield
    finally:
        replace_modules(model, attached)


def _attached(module: nn.Module) -> dict[str, RowLinear]:
    return {path: found for path, found in module.named_modules() if isinstance(found, RowLinear)}
