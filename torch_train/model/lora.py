"""Generated adapters inside a transformers model: one for each row of a batch, or for each sample of a packed row.

A packed row is cut where another group of contexts begins: each part runs with the chunks of its group, and all of it
with the bias pair. So samples may have different numbers of chunks, and nothing is gathered, padded or masked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Adapters = dict[str, tuple[Tensor, Tensor]]  # module -> (A (B, L, r, d_in), B (B, L, r, d_out))


@dataclass(frozen=True)
class Groups:
    """Which tokens of a packed row see which chunks: both lie in the order of the groups that they belong to.

    Attributes:
        tokens: Number of tokens of each group.
        chunks: Number of chunks of each group.
    """

    tokens: list[int]
    chunks: list[int]

    @classmethod
    def of(cls, tokens: Tensor, chunks: Tensor) -> Groups:
        """From the group of each token (T,) and of each chunk (S,), both in ascending order."""
        count = int(chunks.max()) + 1
        return cls(torch.bincount(tokens, minlength=count).tolist(), torch.bincount(chunks, minlength=count).tolist())


@dataclass(frozen=True)
class PackedPair:
    """What one linear map of a packed row is adapted by: A (S, r, d_in), B (S, r, d_out), and the bias pair (r, d)."""

    a: Tensor
    b: Tensor
    bias_a: Tensor
    bias_b: Tensor
    groups: Groups

    def delta(self, x: Tensor) -> Tensor:
        """Each token x Aᵀ B, with its own chunks and the bias pair: (1, T, d_in) -> (1, T, d_out), in fp32."""
        x = x.float()
        parts = [
            (tokens @ a.flatten(0, 1).mT) @ b.flatten(0, 1)
            for tokens, a, b in zip(
                x[0].split(self.groups.tokens),
                self.a.float().split(self.groups.chunks),
                self.b.float().split(self.groups.chunks),
                strict=True,
            )
        ]
        return torch.cat(parts)[None] + (x @ self.bias_a.float().mT) @ self.bias_b.float()


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
        """(B, T, d_in) -> (B, T, d_out); the delta in fp32, cast to the base's dtype."""
        y = self.linear(x)
        if self.pair is None:
            return y
        if isinstance(self.pair, PackedPair):
            delta = self.pair.delta(x)
        else:
            a, b = self.pair  # (B, r, d_in), (B, r, d_out)
            delta = (x.float() @ a.float().mT) @ b.float()
        return y + (self.scale * delta).to(y.dtype)


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
    def adapted_layer(self, layer: int, chunks: Adapters, bias: Adapters, groups: Groups) -> Iterator[None]:
        """Within this context, an adapted block runs a packed row with the adapters of its samples.

        For one block alone, so that gradient checkpointing can run it again with the same adapters.

        Args:
            layer: Number of the block among the adapted ones.
            chunks: Module -> (A (S, r, d_in), B (S, r, d_out)), of every chunk, in this layer.
            bias: Module -> (A (r, d_in), B (r, d_out)), in this layer.
            groups: Which tokens see which chunks.
        """
        sites = [self._sites[name][self._first + layer] for name in chunks]
        try:
            for site, (a, b), (bias_a, bias_b) in zip(sites, chunks.values(), bias.values(), strict=True):
                site.pair = PackedPair(a, b, bias_a, bias_b, groups)
            yield
        finally:
            for site in sites:
                site.pair = None


def by_layer(adapters: Adapters, axis: int) -> list[Adapters]:
    """Adapters taken apart along their layer axis at once: a slice for each layer would cost backward all of them."""
    sides = {name: (a.unbind(axis), b.unbind(axis)) for name, (a, b) in adapters.items()}
    layers = len(next(iter(sides.values()))[0])
    return [{name: (a[layer], b[layer]) for name, (a, b) in sides.items()} for layer in range(layers)]


def compose(chunks: Adapters, bias: Adapters, per_sample: int = 1) -> Adapters:
    """Concatenate each sample's chunks on the rank axis and append the bias pair once.

    Args:
        chunks: Module -> (A (B * per_sample, L, r, d_in), B alike), the chunks of one sample side by side.
        bias: Module -> (A (L, r, d_in), B (L, r, d_out)).
        per_sample: Number of chunks of each sample.

    Returns:
        Module -> (A (B, L, r * (per_sample + 1), d_in), B alike).
    """

    def joined(parts: Tensor, last: Tensor) -> Tensor:
        samples = parts.unflatten(0, (-1, per_sample)).transpose(1, 2).flatten(2, 3)  # (B, L, per_sample * r, d)
        return torch.cat([samples, last.expand(len(samples), *last.shape)], dim=2)

    return {
        name: (joined(a, bias[name][0]), joined(b, bias[name][1]))
        for name, (a, b) in chunks.items()
    }  # fmt: skip
