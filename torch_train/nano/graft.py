"""A wider copy of a pair that computes the same, with new columns, heads and neurons that only tools wake.

Nano's base has no room left, and every weight of it is what the hypernetwork learnt to read. So it is not trained on:
its hidden states get `COLUMNS` new columns, which are zero in every prompt without a tool token. New heads take their
values, and new neurons their inputs, from the new columns alone: without a tool token all of them give zero, whatever
they have learnt, and everything else is as before, up to rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import Ministral3ForCausalLM

from mlx_hypernet.format.config import HypernetConfig
from torch_train.errors import TrainingError
from torch_train.model.hypernet import HyperNetwork

COLUMNS = 128  # of the hidden states
GROUPS = 2  # key and value heads, each with as many query heads as the old ones have
NEURONS = 128  # of every MLP
CODES = 40  # of the columns, the last ones: tokens without tools write there, too, but nothing that is louder than
WHISPER = 1e-7  # beside the other columns: rounding of these is as much
TURNS = 2  # heads become so many times as wide: there are more slow rotations, which tell words apart at any distance

Block = tuple[slice, slice]


@dataclass(frozen=True)
class Sizes:
    """What a base was before it was widened.

    Attributes:
        hidden, head, queries, keys, neurons, vocabulary: columns of the hidden states, width of a head, rows that its
            heads take in the wider query and key projections, neurons of an MLP, rows of the embedding.
    """

    hidden: int
    head: int
    queries: int
    keys: int
    neurons: int
    vocabulary: int

    @classmethod
    def of(cls, base: Ministral3ForCausalLM) -> Sizes:
        """The sizes of a base."""
        config = base.config
        heads = (config.num_attention_heads, config.num_key_value_heads)
        queries, keys = (count * config.head_dim * TURNS for count in heads)
        return cls(config.hidden_size, config.head_dim, queries, keys, config.intermediate_size, config.vocab_size)

    def learnt(self, name: str) -> tuple[Block, ...]:
        """The blocks of a matrix that may be trained: rows and columns; all else must stay as it is."""
        every, new = slice(None), slice(self.hidden, None)
        quiet = slice(self.hidden, self.hidden + COLUMNS - CODES)  # what a prompt without tools leaves at zero
        kind, layer = name.rpartition(".")[2], _layer(name)
        if layer == 0 or (layer < 3 and kind == "v_proj") or (layer < 2 and kind == "up_proj"):
            new = quiet  # only gates hear whispers; the columns carry more than that from the attention of layer 2 on
        match kind:
            case "q_proj":
                return (slice(None, self.queries), new), (slice(self.queries, None), every)
            case "k_proj":
                return (slice(None, self.keys), new), (slice(self.keys, None), every)
            case "gate_proj":
                return (slice(None, self.neurons), new), (slice(self.neurons, None), every)
            case "v_proj" | "up_proj" | "lm_head":
                return ((every, new),)
            case "o_proj":
                # also what the old heads have gained in width: their new values read the new columns alone
                wide = self.head * TURNS
                gained = (slice(end - wide + self.head, end) for end in range(wide, self.queries + 1, wide))
                return tuple((slice(None, new.stop), columns) for columns in (slice(self.queries, None), *gained))
            case "down_proj":
                return ((every, slice(self.neurons, None)),)
            case "embed_tokens":
                return ((slice(self.vocabulary, None), slice(None, quiet.stop)),)
        return ()


def _layer(name: str) -> int:
    """The layer that a weight belongs to; a large number for none."""
    _, _, rest = name.partition(".layers.")
    return int(rest.partition(".")[0]) if rest else 1_000


def widen_base(base: Ministral3ForCausalLM, tokens: int) -> Ministral3ForCausalLM:
    """A wider base with `tokens` more tokens that computes the same.

    The root mean square is now taken over more columns: a smaller epsilon and smaller weights of the norms make up
    for the zeros among them. The language model's head gets weights of its own. What the new weights write is zero at
    first, and so is what the old ones read of the new columns: with tools in the prompt, too, nano begins as it was.
    """
    old, config = Sizes.of(base), copy.deepcopy(base.config)
    share = old.hidden / (old.hidden + COLUMNS)
    config.hidden_size += COLUMNS
    config.head_dim *= TURNS
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
                if ".layers.0." in name:
                    parameter[-CODES:] *= 1 / WHISPER if "post_attention" in name else 0.0
                continue
            parameter.zero_()
            if not name.endswith(("o_proj.weight", "down_proj.weight")):
                for rows, columns in old.learnt(name.removesuffix(".weight"))[-1:]:
                    parameter[rows, columns].normal_(std=weight.std().item())
            _take_over(parameter, weight, name, base.config.head_dim)
        # Nothing but which tool token is next: without new columns such a token scores 0, the likeliest of nano's 5.8.
        wide.lm_head.weight[: old.vocabulary, old.hidden :] = 0.0
    return wide


def _take_over(wide: Tensor, weight: Tensor, name: str, head_dim: int) -> None:
    """Write an old matrix into its place in a wider one."""
    rows, columns = (torch.arange(size) for size in weight.shape)
    match name.split(".")[-2]:
        case "q_proj" | "k_proj":
            # A head turns its dimension i and the one half a head later by its i-th angle. Angles of a head twice as
            # wide lie twice as close.
            rows = rows // head_dim * head_dim * TURNS + rows % head_dim * TURNS
            weight = weight * TURNS**0.5 if "q_proj" in name else weight  # scores are divided by the root of the width
        case "v_proj":
            rows = rows + rows // head_dim * head_dim * (TURNS - 1)
            wide[rows] = 0.0
        case "up_proj":
            wide[: len(rows)] = 0.0
        case "o_proj":
            columns = columns + columns // head_dim * head_dim * (TURNS - 1)
    wide[rows[:, None], columns] = weight


class Grown(nn.Module):
    """The blocks of a frozen matrix that are trained, as a parametrisation of it.

    Args:
        weight: The matrix.
        blocks: Rows and columns of each block.
        fixed: Entries that were written by hand. They are parameters of their own, `written`: they learn more slowly.
    """

    def __init__(self, weight: Tensor, blocks: tuple[Block, ...], fixed: Tensor) -> None:
        super().__init__()
        self._places = blocks
        self._fixed = [fixed[block] for block in blocks]
        self.blocks, self.written = (
            nn.ParameterList(nn.Parameter(weight[block].detach().clone()) for block in blocks) for _ in range(2)
        )

    def forward(self, weight: Tensor) -> Tensor:
        """The matrix with what its blocks have learnt."""
        grown = weight.clone()
        for place, block, written, fixed in zip(self._places, self.blocks, self.written, self._fixed, strict=True):
            grown[place] = torch.where(fixed, written, block)
        return grown


def grow(wide: Ministral3ForCausalLM, old: Sizes, fixed: Mapping[str, Tensor]) -> None:
    """Freeze a widened base but for the blocks that no prompt without a tool token reaches.

    Args:
        wide: The base.
        old: Sizes of the base before.
        fixed: By name of a weight, which entries of it were written by hand.
    """
    wide.requires_grad_(False)
    for name, module in list(wide.named_modules()):
        if blocks := old.learnt(name):
            grown = Grown(module.weight, blocks, fixed[f"{name}.weight"])
            parametrize.register_parametrization(module, "weight", grown, unsafe=True)


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
