"""Generated adapters inside a transformers model: one for each row of a batch, or for each sample of a packed row.

In a packed row the adapters of all its samples lie side by side on one rank axis, and every token sees its own rows of
it. So samples may have different numbers of chunks, nothing is gathered or padded, and the bias pair exists once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

Adapters = dict[str, tuple[Tensor, Tensor]]  # module -> (A (B, L, r, d_in), B (B, L, r, d_out))


class LoRALinear(nn.Module):
    """A frozen linear map with a low-rank delta for each sample: y += scale * (x Aᵀ) B.

    Args:
        linear: The base model's own map, left as it is.
        scale: Factor of the delta, applied as it is (never divided by the rank).
    """

    def __init__(self, linear: nn.Linear, scale: float) -> None:
        super().__init__()
        self.linear, self.scale = linear, scale
        self.pair: tuple[Tensor, Tensor] | None = None
        self.visible: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d_in) -> (B, T, d_out); the delta in fp32, cast to the base's dtype."""
        y = self.linear(x)
        if self.pair is None:
            return y
        a, b = self.pair  # (B, r, d_in), (B, r, d_out)
        inner = x.float() @ a.float().mT
        if self.visible is not None:  # (B, T, r)
            inner = inner * self.visible
        return y + (self.scale * (inner @ b.float())).to(y.dtype)


class Injected:
    """A model whose target modules can carry adapters.

    Args:
        layers: The model's blocks.
        modules: Names of the target modules, by their last part (`down_proj`).
        scale: Factor of the adapters.
    """

    def __init__(self, layers: nn.ModuleList, modules: tuple[str, ...], scale: float) -> None:
        self._layers = layers
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
                for layer, site in enumerate(self._sites[name]):
                    site.pair = (a[:, layer], b[:, layer])
            yield
        finally:
            for sites in self._sites.values():
                for site in sites:
                    site.pair = None

    @contextmanager
    def adapted_layer(self, layer: int, adapters: Adapters, visible: Tensor) -> Iterator[None]:
        """Within this context, block `layer` runs a packed row with the adapters of its samples.

        For one block alone, so that gradient checkpointing can run it again with the same adapters.

        Args:
            layer: Number of the block.
            adapters: Module -> (A (1, L, R, d_in), B (1, L, R, d_out)), the adapters of all samples on one rank axis.
            visible: Which of the R rows each token sees, 0 or 1, (1, T, R); see `visible_ranks`.
        """
        sites = [(self._sites[name][layer], a[:, layer], b[:, layer]) for name, (a, b) in adapters.items()]
        try:
            for site, a, b in sites:
                site.pair, site.visible = (a, b), visible
            yield
        finally:
            for site, _, _ in sites:
                site.pair = site.visible = None


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


def visible_ranks(tokens: Tensor, chunks: Tensor, rank: int) -> Tensor:
    """Which rows of a packed row's rank axis each token sees: those of its group's chunks, and the bias.

    Args:
        tokens: Group of contexts that each token asks about, (T,).
        chunks: Group that each chunk belongs to, (n,).
        rank: Rank of a chunk's adapter.

    Returns:
        (1, T, rank * (n + 1)) of 0.0 and 1.0, in the order of `compose(..., per_sample=n)`.
    """
    own = (tokens[:, None] == chunks[None, :]).float().repeat_interleave(rank, dim=1)
    return functional.pad(own, (0, rank), value=1.0)[None]
