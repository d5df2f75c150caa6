"""The context encoder: the frozen base itself, block by block, without its last block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch_train.model.base import FrozenBase
    from torch_train.model.ragged import Ragged


@torch.no_grad()
def layer_features(model: Any, ids: Tensor, mask: Tensor) -> Tensor:
    """What every block of the base reads; the last one after the final norm, and the last block never runs.

    Args:
        model: A transformers causal model in Llama's layout (`model.embed_tokens`, `layers`, `norm`, `rotary_emb`).
        ids: Token ids, (B, T), right-padded.
        mask: True for real tokens, (B, T).

    Returns:
        (B, L, T, hidden): feature l is the input of block l for l < L-1, and norm(input of block L-1) for l = L-1.
    """
    base = model.model
    length = ids.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
    itself = torch.eye(length, dtype=torch.bool, device=ids.device)  # padding must attend to something
    attention = ((causal & mask[:, None, :]) | itself)[:, None]
    positions = torch.arange(length, device=ids.device)[None]
    x = base.embed_tokens(ids)
    rope = base.rotary_emb(x, position_ids=positions)
    features = [x]
    for layer in base.layers[:-1]:
        x = layer(x, attention_mask=attention, position_ids=positions, position_embeddings=rope)
        features.append(x)
    features[-1] = base.norm(x)
    return torch.stack(features, dim=1)


def own_span(length: int, affixes: tuple[int, int]) -> range:
    """Which tokens of a chunk are the document's own, and not the chat template's around it.

    Args:
        length: Tokens of the chunk.
        affixes: Number of the template's tokens before and after each chunk. A chunk with no others is kept whole.
    """
    before, after = affixes
    return range(before, length - after) if length > before + after else range(length)


def packed_features(
    base: FrozenBase,
    ids: Tensor,
    row: Ragged,
    layers: range | None = None,
    normed: bool = False,
    recorded: Sequence[str] = (),
) -> Iterator[Tensor]:
    """The same features for a packed row, one layer after the other: the caller keeps what it needs of each.

    Args:
        base: The base, or its quantised copy.
        ids: Token ids of all chunks side by side, (T,).
        row: The chunks.
        layers: The blocks whose features are wanted, side by side; None for all.
        normed: Whether all of them are after the final norm, as where reading stops early.
        recorded: Modules whose inputs are wanted, too; then the last block runs as well.

    Yields:
        (T, hidden), without gradient, for each l in `layers`; behind it, with `recorded`, embeddings and these inputs.
    """
    last = len(base.layers) - 1
    layers = range(last + 1) if layers is None else layers
    with torch.no_grad():
        x = words = base.embed(ids)
        layout = base.layout(x, row)
    for index, layer in enumerate(base.layers[: layers.stop]):
        with torch.no_grad():  # not around the yield: the caller may need gradients
            feature = base.norm(x) if normed or index == last else x
            noted = recorded if index in layers else ()
            if noted or index < layers.stop - 1:
                with module_inputs(layer, noted) as inputs:
                    x = base.block(layer, x, layout)
                feature = torch.cat([feature, words, *inputs], dim=-1) if noted else feature
        if index in layers:
            yield feature


@contextmanager
def module_inputs(layer: nn.Module, names: Sequence[str]) -> Iterator[list[Tensor]]:
    """What modules of a block read while it runs, in the order of `names`; the list fills up within the context."""
    found = {path.rpartition(".")[2]: module for path, module in layer.named_modules()}
    inputs: dict[str, Tensor] = {}
    read: list[Tensor] = []

    def note(name: str, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        inputs[name] = given[0]
        if len(inputs) == len(names):
            read.extend(inputs[one] for one in names)

    hooks = [found[name].register_forward_pre_hook(partial(note, name)) for name in names]
    try:
        yield read
    finally:
        for hook in hooks:
            hook.remove()
