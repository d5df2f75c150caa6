"""A wider copy of a pair that computes the same, with new columns, heads and neurons that only tools wake.

Nano's base has no room left, and every weight of it is what the hypernetwork learnt to read. So it is not trained on:
its hidden states get `COLUMNS` new columns, which are zero in every prompt without a tool token. New heads take their
values, and new neurons their inputs, from the new columns alone: without a tool token all of them give zero, whatever
they have learnt, and everything else is as before, up to rounding.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import Ministral3ForCausalLM

from mlx_hypernet.format.config import HypernetConfig
from torch_train.errors import TrainingError
from torch_train.model.hypernet import HyperNetwork

COLUMNS = 64  # of the hidden states
GROUPS = 2  # key and value heads, each with as many query heads as the old ones have
NEURONS = 128  # of every MLP

Block = tuple[slice, slice]


@dataclass(frozen=True)
class Sizes:
    """What a base was before it was widened.

    Attributes:
        hidden, queries, keys, neurons, vocabulary: columns of the hidden states, rows of the query and of the key
            projection, neurons of an MLP, rows of the embedding.
    """

    hidden: int
    queries: int
    keys: int
    neurons: int
    vocabulary: int

    @classmethod
    def of(cls, base: Ministral3ForCausalLM) -> Sizes:
        """The sizes of a base."""
        config = base.config
        heads = (config.num_attention_heads, config.num_key_value_heads)
        queries, keys = (count * config.head_dim for count in heads)
        return cls(config.hidden_size, queries, keys, config.intermediate_size, config.vocab_size)

    def learnt(self, name: str) -> tuple[Block, ...]:
        """The blocks of a matrix that may be trained: rows and columns; all else must stay as it is."""
        every, new = slice(None), slice(self.hidden, None)
        match name.rpartition(".")[2]:
            case "q_proj":
                return (slice(None, self.queries), new), (slice(self.queries, None), every)
            case "k_proj":
                return (slice(None, self.keys), new), (slice(self.keys, None), every)
            case "gate_proj":
                return (slice(None, self.neurons), new), (slice(self.neurons, None), every)
            case "v_proj" | "up_proj" | "lm_head":
                return ((every, new),)
            case "o_proj":
                return ((every, slice(self.queries, None)),)
            case "down_proj":
                return ((every, slice(self.neurons, None)),)
            case "embed_tokens":
                return ((slice(self.vocabulary, None), every),)
        return ()


def widen_base(base: Ministral3ForCausalLM, tokens: int) -> Ministral3ForCausalLM:
    """A wider base with `tokens` more tokens that computes the same.

    The root mean square is now taken over more columns: a smaller epsilon and smaller weights of the norms make up
    for the zeros among them. The language model's head gets weights of its own.
    """
    old, config = Sizes.of(base), copy.deepcopy(base.config)
    share = old.hidden / (old.hidden + COLUMNS)
    config.hidden_size += COLUMNS
    config.num_attention_heads += GROUPS * config.num_attention_heads // config.num_key_value_heads
    config.num_key_value_heads += GROUPS
    config.intermediate_size += NEURONS
    config.vocab_size += tokens
    config.rms_norm_eps *= share
    config.tie_word_embeddings = False
    wide = Ministral3ForCausalLM(config)
    weights = base.state_dict() | {"lm_head.weight": base.model.embed_tokens.weight}
    with torch.no_grad():
        for name, parameter in wide.named_parameters():
            weight = weights[name]
            if parameter.ndim == 1:
                parameter.fill_(weight.mean() * share**0.5)
                parameter[: old.hidden] = weight * share**0.5
                continue
            parameter.zero_()
            for block in old.learnt(name.removesuffix(".weight")):
                parameter[block].normal_(std=weight.std().item() * _spread(name))
            parameter[tuple(map(slice, weight.shape))] = weight
        # The new columns say nothing at first but which tool token is next. Without them such a token scores 0, and the
        # most likely token of nano's 5.8 and more.
        wide.lm_head.weight[: old.vocabulary, old.hidden :] = 0.0
    return wide


def _spread(name: str) -> float:
    """Deviation of new weights at first, in that of the old ones: what writes is small beside what is there."""
    return 0.3 if name.endswith(("o_proj.weight", "down_proj.weight")) else 1.0


class Grown(nn.Module):
    """The blocks of a frozen matrix that are trained, as a parametrisation of it.

    Args:
        weight: The matrix.
        blocks: Rows and columns of each block.
    """

    def __init__(self, weight: Tensor, blocks: tuple[Block, ...]) -> None:
        super().__init__()
        self._places = blocks
        self.blocks = nn.ParameterList(nn.Parameter(weight[block].detach().clone()) for block in blocks)

    def forward(self, weight: Tensor) -> Tensor:
        """The matrix with what its blocks have learnt."""
        grown = weight.clone()
        for place, block in zip(self._places, self.blocks, strict=True):
            grown[place] = block
        return grown


def grow(wide: Ministral3ForCausalLM, old: Sizes) -> None:
    """Freeze a widened base but for the blocks that no prompt without a tool token reaches."""
    wide.requires_grad_(False)
    for name, module in list(wide.named_modules()):
        if blocks := old.learnt(name):
            weight = module.weight
            parametrize.register_parametrization(module, "weight", Grown(weight, blocks), unsafe=True)


def finish(wide: Ministral3ForCausalLM) -> None:
    """Turn what was learnt into plain weights."""
    for module in list(wide.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)


def widen_hypernet(
    config: HypernetConfig, weights: dict[str, Tensor], wide: Ministral3ForCausalLM
) -> tuple[HypernetConfig, dict[str, Tensor]]:
    """The hypernetwork for the wider base: it reads the old columns and adapts the old neurons, all new ones get zero.

    Raises:
        TrainingError: It adapts something else than `down_proj`, or reads standardised features.
    """
    if set(config.modules) != {"down_proj"} or config.feature_norm:
        raise TrainingError("only a hypernetwork of down_proj that reads hidden states as they are can be widened")
    hidden, neurons = wide.config.hidden_size, wide.config.intermediate_size
    ((old_in, _),) = config.modules.values()
    wider = replace(config, hidden_size=hidden, modules={"down_proj": (neurons, hidden)})
    widened = {name: torch.zeros_like(weight) for name, weight in HyperNetwork(wider).state_dict().items()}
    for name, weight in weights.items():
        if name == "head.weight":  # A and B side by side
            for old, new in ((weight[..., :old_in], 0), (weight[..., old_in:], neurons)):
                widened[name][..., new : new + old.shape[-1]] = old
        else:
            widened[name][tuple(map(slice, weight.shape))] = weight
    return wider, widened
