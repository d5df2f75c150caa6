"""Generated adapters inside a transformers model: one for each row of a batch, or for each group of a packed row.

A packed row is cut where another group of contexts begins. Each part runs with one adapter, its group's chunks on the
rank axis, and all of the row with the bias pair. Groups with as many chunks, and about as many tokens, are one batched
product: one product for all would fill every group up to the largest, in tokens and in ranks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn

from torch_train.model.buckets import Buckets, Cost, similar
from torch_train.model.moving import moved, moved_rows
from torch_train.model.ragged import Ragged

COST = Cost(linear=1, square=0, bucket=128)  # in tokens: a bucket takes some twenty operations more in each block

BEFORE_ATTENTION = ("q_proj", "k_proj", "v_proj")
Adapters = dict[str, tuple[Tensor, Tensor]]  # module -> (A (B, L, r, d_in), B (B, L, r, d_out))


@dataclass(frozen=True)
class Groups:
    """Which tokens of a packed row see which chunks: both lie in the order of the groups that they belong to.

    Attributes:
        tokens: The groups' tokens, in buckets of groups with as many chunks and about as many tokens.
        predicts: Those of them that predict an answer's token, in the same buckets.
        counts: Chunks of each group of a bucket.
        chunks: The chunks in the order of the buckets, (S,).
        chunk_places: Where each chunk is in that order, (S,).
    """

    tokens: Buckets
    predicts: Buckets
    counts: tuple[int, ...]
    chunks: Tensor
    chunk_places: Tensor

    @classmethod
    def of(cls, chunks: Sequence[int], tokens: Sequence[int], predicts: Sequence[int]) -> Groups:
        """From the number of chunks, of tokens and of predicting ones of each group; some may have no tokens."""
        sizes, lengths = np.asarray(chunks), np.asarray(tokens)
        starts = np.cumsum(sizes) - sizes
        counts: list[int] = []
        members: list[np.ndarray] = []
        for count in np.unique(sizes).tolist():
            alike = np.flatnonzero(sizes == count)
            members += [alike[some] for some in similar(lengths[alike], COST)]
            counts += [count] * (len(members) - len(counts))
        order = np.concatenate(
            [(starts[some][:, None] + np.arange(count)).ravel() for some, count in zip(members, counts, strict=True)]
        )
        padded, predicting = (Buckets.of(np.asarray(some), members) for some in (tokens, predicts))
        return cls(padded, predicting, tuple(counts), torch.from_numpy(order), torch.from_numpy(order.argsort()))

    def compose(self, chunks: Adapters) -> list[Adapters]:
        """Of each bucket its groups' chunks on the rank axis: module -> (A (G, L, R, d_in), B (G, L, R, d_out))."""
        if len(self.counts) > 1:
            order = self.chunks, self.chunk_places
            chunks = {name: (moved_rows(a, *order), moved_rows(b, *order)) for name, (a, b) in chunks.items()}
        sizes = [(groups, count) for (groups, _), count in zip(self.tokens.sizes, self.counts, strict=True)]

        def joined(side: Tensor) -> list[Tensor]:
            parts = side.split([groups * count for groups, count in sizes])
            return [
                part if count == 1 else part.unflatten(0, (groups, count)).transpose(1, 2).flatten(2, 3)
                for part, (groups, count) in zip(parts, sizes, strict=True)
            ]

        sides = {name: (joined(a), joined(b)) for name, (a, b) in chunks.items()}
        return [{name: (a[i], b[i]) for name, (a, b) in sides.items()} for i in range(len(sizes))]

    def to(self, device: torch.device | str) -> Groups:
        """The same on another device."""
        return Groups(*(moved(getattr(self, part.name), device) for part in fields(self)))


@dataclass(frozen=True)
class PackedPair:
    """What one linear map of a packed row is adapted by.

    Attributes:
        pairs: Of each bucket A (G, R, d_in), B (G, R, d_out).
        bias: The pair that all tokens see, A (r, d_in), B (r, d_out).
        tokens: The groups' tokens.
    """

    pairs: Sequence[tuple[Tensor, Tensor]]
    bias: tuple[Tensor, Tensor]
    tokens: Buckets

    def delta(self, x: Tensor, scale: float) -> Tensor:
        """Each token scale * (x Aᵀ) B, with its group's pair and the bias pair: (T, d_in) -> (T, d_out), in fp32."""
        found = []
        for rows, (a, b) in zip(self.tokens.pad(x), self.pairs, strict=True):
            low = torch.bmm(rows.float(), a.float().mT)
            found.append(torch.bmm(low * scale, b.float()))
        a, b = self.bias
        low = torch.nn.functional.linear(x.float(), a.float())
        return torch.addmm(self.tokens.unpad(found), low, b.float(), alpha=scale)


class LoRALinear(nn.Module):
    """A frozen linear map with a low-rank delta for each sample: y += scale * (x Aᵀ) B.

    Args:
        linear: The base model's own map, unchanged.
        scale: Factor of the delta, not divided by the rank.
    """

    def __init__(self, linear: nn.Linear, scale: float) -> None:
        super().__init__()
        self.linear, self.scale = linear, scale
        self.pair: tuple[Tensor, Tensor] | PackedPair | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d_in) -> (B, T, d_out), or of a packed row (T, ...); the delta in fp32, cast to the base's dtype."""
        y = self.linear(x)
        if self.pair is None:
            return y
        if isinstance(self.pair, PackedPair):
            delta = self.pair.delta(x, self.scale)
        else:
            a, b = self.pair  # (B, r, d_in), (B, r, d_out)
            delta = self.scale * ((x.float() @ a.float().mT) @ b.float())
        return y + delta.to(y.dtype)


class Injected:
    """A model whose target modules can carry adapters.

    Args:
        layers: The model's blocks.
        modules: Names of the target modules, by their last part (`down_proj`).
        scale: Factor of the adapters.
        first_layer: The block that the adapters' first layer is for.
    """

    def __init__(self, layers: nn.ModuleList, modules: tuple[str, ...], scale: float, first_layer: int = 0) -> None:
        self._layers, self._first = layers, first_layer
        self._sites: dict[str, list[LoRALinear]] = {name: [] for name in modules}
        for layer in layers:
            for path, module in list(layer.named_modules()):
                name = path.rpartition(".")[2]
                if name in self._sites and isinstance(module, nn.Linear):
                    site = LoRALinear(module, scale)
                    layer.set_submodule(path, site)
                    self._sites[name].append(site)
        for name, sites in self._sites.items():
            if len(sites) != len(layers):
                raise ValueError(f"{len(sites)} of {len(layers)} blocks have a linear module called {name}")

    def remove(self) -> None:
        """Put the plain linear maps back, as they were found."""
        for layer in self._layers:
            for path, module in list(layer.named_modules()):
                if isinstance(module, LoRALinear):
                    layer.set_submodule(path, module.linear)

    @contextmanager
    def adapted(self, adapters: Adapters) -> Iterator[None]:
        """Within this context, sample i of every batch runs with adapter i."""
        try:
            for name, (a, b) in adapters.items():
                for layer in range(a.shape[1]):
                    self._sites[name][self._first + layer].pair = (a[:, layer], b[:, layer])
            yield
        finally:
            for sites in self._sites.values():
                for site in sites:
                    site.pair = None

    @contextmanager
    def adapted_layer(
        self, layer: int, pairs: Sequence[Adapters], bias: Adapters, groups: Groups, predicts: bool = False
    ) -> Iterator[None]:
        """Within this context, an adapted block runs a packed row with the adapters of its groups.

        For one block alone, so that gradient checkpointing can run it again with the same adapters.

        Args:
            layer: Number of the block among the adapted ones.
            pairs: Of each bucket: module -> (A (G, R, d_in), B (G, R, d_out)), of every group, in this layer.
            bias: Module -> (A (r, d_in), B (r, d_out)), in this layer.
            groups: Whose tokens see which of them.
            predicts: Whether only tokens that predict an answer are left after attention.
        """
        sites = {name: self._sites[name][self._first + layer] for name in pairs[0]}
        try:
            for name, site in sites.items():
                tokens = groups.predicts if predicts and name not in BEFORE_ATTENTION else groups.tokens
                site.pair = PackedPair([bucket[name] for bucket in pairs], bias[name], tokens)
            yield
        finally:
            for site in sites.values():
                site.pair = None


def by_layer(adapters: Adapters) -> list[Adapters]:
    """Adapters taken apart along their layer axis at once: a slice for each layer would cost backward all of them."""
    sides = {name: (a.unbind(-3), b.unbind(-3)) for name, (a, b) in adapters.items()}
    layers = len(next(iter(sides.values()))[0])
    return [{name: (a[layer], b[layer]) for name, (a, b) in sides.items()} for layer in range(layers)]


def compose(chunks: Adapters, bias: Adapters, groups: Ragged | None = None) -> Adapters:
    """Concatenate each group's chunks on the rank axis and append the bias pair once; groups with fewer get zeros.

    Args:
        chunks: Module -> (A (S, L, r, d_in), B alike), the chunks of one group side by side.
        bias: Module -> (A (L, r, d_in), B (L, r, d_out)).
        groups: The chunks of each group; None for each chunk alone.

    Returns:
        Module -> (A (G, L, r * (longest + 1), d_in), B alike).
    """

    def joined(parts: Tensor, last: Tensor) -> Tensor:
        grouped = parts[:, None] if groups is None else groups.pad(parts)  # (G, longest, L, r, d)
        if groups is not None and not groups.full:
            grouped = grouped * groups.mask[:, :, None, None, None]
        ranks = grouped.transpose(1, 2).flatten(2, 3)
        return torch.cat([ranks, last.expand(len(ranks), *last.shape)], dim=2)

    return {
        name: (joined(a, bias[name][0]), joined(b, bias[name][1]))
        for name, (a, b) in chunks.items()
    }  # fmt: skip
