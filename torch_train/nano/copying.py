"""A circuit that copies, written by hand into the new columns of a widened base; training goes on from there.

Gradient descent finds such circuits (induction heads, arXiv 2209.11895), but not within the dialogues that a CPU can
go through. Layer by layer: every token after the list of tools says which token it is; then, which three came before
it; then a head looks for where the last tokens stood before, and takes the token that came next.

Values and neurons read the new columns alone, so that without a list of tools all of it is zero (`graft.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import Ministral3ForCausalLM

from torch_train.nano import graft
from torch_train.nano.base import hidden_states
from torch_train.nano.graft import Sizes
from torch_train.nano.tokenizer import (
    ARGS,
    AVAILABLE,
    BOS,
    CALLS,
    END_AVAILABLE,
    END_INST,
    END_RESULTS,
    EOS,
    INST,
    PAD,
    RESULTS,
    TOOL_TOKENS,
    VOCAB_SIZE,
)
from torch_train.nano.tree_rows import TreeRows

# The new columns.
_LISTED = 0  # a list of tools has begun
_MARK = 1  # this token begins the list
_CODE = slice(4, 44)  # which token this is
_BEFORE = slice(44, 70)  # which three came before it
_AFTER = slice(70, 86)  # which token came next but one, where the last ones stood before
_COPY = slice(graft.COLUMNS - graft.CODES, graft.COLUMNS)  # and which one came next

_CODES, _TRAIL = _CODE.stop - _CODE.start, _BEFORE.stop - _BEFORE.start
_TOKENS = VOCAB_SIZE + len(TOOL_TOKENS)
_FADES = 0.6  # what a token counts in a trail, against the one after it
# The new tokens begin as old ones that stand in like places.
_LIKE = {AVAILABLE: BOS, END_AVAILABLE: BOS, CALLS: END_INST, ARGS: END_INST, RESULTS: INST, END_RESULTS: INST}


class Copying:
    """Writes the circuit, each layer by what the layers before it give.

    Args:
        wide: A base as `graft.widen_base` leaves it.
        old: Sizes of the base before.
        rows: Rows to measure hidden states on, each with a list of tools.
    """

    def __init__(self, wide: Ministral3ForCausalLM, old: Sizes, rows: Sequence[TreeRows]) -> None:
        self._wide, self._old, self._rows = wide, old, rows
        config = wide.config
        self._width, self._heads = config.head_dim, config.num_attention_heads // config.num_key_value_heads
        self._angles = config.rope_parameters["rope_theta"] ** -(torch.arange(self._width // 2) * 2 / self._width)
        self._random = torch.Generator().manual_seed(0)

    @torch.no_grad()
    def write(self) -> None:
        """Write all of it."""
        self._list_of_tools()
        codes = self._which_token()
        self._which_before()
        self._where_before()
        self._which_first()
        self._whether()
        self._wide.lm_head.weight[:, self._columns(_COPY)] = 0.7 * codes  # a copied code speaks for its token

    def _columns(self, place: slice | int) -> slice:
        start, stop = (place.start, place.stop) if isinstance(place, slice) else (place, place + 1)
        return slice(self._old.hidden + start, self._old.hidden + stop)

    def _query(self, layer: int, head: int) -> Tensor:
        """Rows of a new query head, of the first group."""
        start = self._old.queries + head * self._width
        return self._wide.model.layers[layer].self_attn.q_proj.weight[start : start + self._width]

    def _key(self, layer: int) -> Tensor:
        start = self._old.keys
        return self._wide.model.layers[layer].self_attn.k_proj.weight[start : start + self._width]

    def _value(self, layer: int) -> Tensor:
        start = self._old.keys
        return self._wide.model.layers[layer].self_attn.v_proj.weight[start : start + self._width]

    def _output(self, layer: int, head: int) -> Tensor:
        """Columns of a new query head, of the first group."""
        start = self._old.queries + head * self._width
        return self._wide.model.layers[layer].self_attn.o_proj.weight[:, start : start + self._width]

    def _read(self, module: nn.Module) -> tuple[Tensor, Tensor]:
        """What a module reads at each token after the list of tools has begun, (N, hidden), and these tokens, (N,)."""
        found: list[Tensor] = []
        hook = module.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
        tokens = []
        for rows in self._rows:
            hidden_states(self._wide, rows)
            listed = (rows.branches >= 0) & (rows.positions > 1)
            found[-1] = found[-1][listed]
            tokens.append(rows.ids[listed])
        hook.remove()
        return torch.cat(found), torch.cat(tokens)

    def _list_of_tools(self) -> None:
        """Layer 0: every token looks for the beginning of the list."""
        embedding, old = self._wide.model.embed_tokens.weight, self._old.hidden
        for token, like in _LIKE.items():
            embedding[token, :old] = embedding[like, :old]
        embedding[AVAILABLE, old + _LISTED] = embedding[AVAILABLE, old + _MARK] = 1.0
        layer = self._wide.model.layers[0]
        known = layer.input_layernorm(embedding[:VOCAB_SIZE])[:, :old]
        found, tokens = self._read(layer.self_attn.q_proj)  # tokens in use count more
        known = torch.cat([known, found[tokens < VOCAB_SIZE][:, :old]])
        special = [BOS, EOS, INST, END_INST]
        known = torch.cat([known, known[special].repeat(100, 1)])
        constant = torch.linalg.lstsq(known, known.new_ones(len(known), 1)).solution[:, 0]
        slowest = self._width // 2 - 1
        self._query(0, 0).zero_()[slowest, :old] = 10 * constant
        marked = layer.input_layernorm(embedding[AVAILABLE])[old + _MARK]
        self._key(0).zero_()[slowest, old + _MARK] = 40 / marked
        self._value(0).zero_()[0, old + _MARK] = 1 / marked
        self._output(0, 0)[old + _LISTED, 0] = 1.0

    def _which_token(self) -> Tensor:
        """The MLP of layer 0: the code of a token, which its embedding whispers. Returns all, (vocabulary, codes)."""
        codes, self._mix = _codes(self._random)
        layer, old = self._wide.model.layers[0], self._old
        read, tokens = self._read(layer.mlp.gate_proj)
        listed = read[:, old.hidden + _LISTED]
        power = _means((listed / listed.median()).clamp(0.5, 2)[:, None] ** -2, tokens)  # a code is divided by it
        embedded = codes * torch.where(power > 0, power, 1.0)
        embedded[[*range(PAD + 1), *range(VOCAB_SIZE, _TOKENS)]] = 0.0  # nothing is copied after the template's tokens
        self._wide.model.embed_tokens.weight[:, self._columns(_COPY)] = graft.WHISPER * embedded
        loud = self._read(layer.mlp.gate_proj)[0]
        loud = (loud[:, self._columns(_COPY)] * loud[:, old.hidden + _LISTED, None]).pow(2).mean() ** 0.5
        # Layer 1 divides by the size of its hidden states, most of which the token decides.
        sizes, tokens = self._read(self._wide.model.layers[1])
        sizes = sizes.norm(dim=1, keepdim=True)
        sizes = _means((sizes / sizes.median()).clamp(0.3, 3), tokens)
        self._wide.model.embed_tokens.weight[:, self._columns(_COPY)] *= torch.where(sizes > 0, sizes, 1.0)
        # z = silu(z) - silu(-z): two neurons pass one number on
        first = old.neurons
        for sign in (1, -1):
            rows = slice(first, first + _CODES)
            layer.mlp.gate_proj.weight[rows].zero_()[:, self._columns(_COPY)] = sign * torch.eye(_CODES)
            layer.mlp.up_proj.weight[rows].zero_()[:, old.hidden + _LISTED] = 1.0
            layer.mlp.down_proj.weight[self._columns(_CODE), rows] = 3.0 / loud * sign * torch.eye(_CODES)
            first += _CODES
        size = self._mark_of(layer.mlp.gate_proj)  # the mark grows with the hidden states
        layer.mlp.gate_proj.weight[first].zero_()[old.hidden + _MARK] = 8 / size
        layer.mlp.up_proj.weight[first].zero_()[old.hidden + _MARK] = 1 / size
        layer.mlp.down_proj.weight[old.hidden + _MARK, first] = 20.0 / 8
        return codes

    def _which_before(self) -> None:
        """Layer 1: three heads look one, two and three tokens back."""
        attention = self._wide.model.layers[1].self_attn
        read, _ = self._read(attention.q_proj)
        constant = torch.linalg.lstsq(read, read.new_ones(len(read), 1)).solution[:, 0]
        self._turn = torch.linalg.qr(torch.randn(_TRAIL, _TRAIL, generator=self._random))[0]
        shares, lower = _at_once(self._angles)
        size = shares**0.5 * (12 * self._width**0.5 / lower) ** 0.5  # any other token scores lower by 12
        half = self._width // 2
        self._key(1).zero_()[:half] = size[:, None] * constant
        self._value(1).zero_()[:_CODES, self._columns(_CODE)] = torch.eye(_CODES)
        scale = 0.5 / read[:, self._columns(_CODE)].std()
        mixed = self._mix
        for head in range(self._heads):
            turned = self._angles * (head + 1)
            query = self._query(1, head).zero_()
            query[:half] = (size * turned.cos())[:, None] * constant
            query[half:] = -(size * turned.sin())[:, None] * constant
            self._output(1, head)[self._columns(_BEFORE), :_CODES] = scale * mixed
            mixed = _FADES * self._turn @ mixed
        self._grow_trails()

    def _grow_trails(self) -> None:
        """The MLP of layer 1: layer 2 will divide by the size of its hidden states, so trails grow with it."""
        mlp, old = self._wide.model.layers[1].mlp, self._old
        read, _ = self._read(mlp.gate_proj)
        within, _ = self._read(self._wide.model.layers[1].post_attention_layernorm)
        after, _ = self._read(self._wide.model.layers[2])
        wanted = within.norm(dim=1) * after.norm(dim=1)
        wanted = (wanted / wanted.median()).clamp(0.2, 5)
        gate = torch.linalg.lstsq(read / wanted[:, None], torch.full((len(read), 1), 4.0)).solution[:, 0]
        rows = slice(old.neurons, old.neurons + _TRAIL)
        mlp.gate_proj.weight[rows] = gate
        mlp.up_proj.weight[rows].zero_()[:, self._columns(_BEFORE)] = torch.eye(_TRAIL)
        grown = nn.functional.silu(read @ gate)[:, None] * read[:, self._columns(_BEFORE)]
        mlp.down_proj.weight[self._columns(_BEFORE), rows] = 4.0 / grown.std() * torch.eye(_TRAIL)

    def _where_before(self) -> None:
        """Layer 2: one head takes the token after the last place where these tokens stood, one that after the next."""
        attention, old = self._wide.model.layers[2].self_attn, self._old.hidden
        half, count = self._width // 2, _TRAIL // 2
        pairs = torch.arange(half - 1 - count, half - 1)  # slow: distance hardly matters; the slowest one is the sink's
        dims = torch.cat([pairs, pairs + half])
        read, _ = self._read(attention.q_proj)
        power = (read[:, self._columns(_CODE)] @ self._mix.T).pow(2).sum(1).mean()
        size = (30 * self._width**0.5 / power) ** 0.5  # a match of the last token alone scores 30
        key = self._key(2)
        key.mul_(0.3)[dims] = 0.0
        trails = read[:, self._columns(_BEFORE)].pow(2).sum(1).mean()
        same = (power * (1 + _FADES**2 + _FADES**4) / trails) ** 0.5  # as large as the code itself
        key[dims, self._columns(_BEFORE)] = size * same * torch.eye(_TRAIL)
        marked = self._mark_of(attention.q_proj)
        key[half - 1] = 0.0
        key[half - 1, old + _MARK] = 14 * self._width**0.5 / marked
        self._value(2).zero_()[:_CODES, self._columns(_CODE)] = torch.eye(_CODES)
        turn = _FADES * self._turn
        last = torch.zeros(_TRAIL, self._wide.config.hidden_size)
        last[:, self._columns(_CODE)] = size * self._mix
        last[:, self._columns(_BEFORE)] = size * same * turn
        sizes = (read @ last.T).norm(dim=1)
        usual = torch.linalg.lstsq(read, (sizes / sizes.mean())[:, None]).solution[:, 0]
        for head, wanted in enumerate((last, self._turn @ last)):
            query = self._query(2, head).zero_()
            query[dims] = wanted
            query[half - 1] = usual
        scale = 8.0 / read[:, self._columns(_CODE)].std()
        self._output(2, 0)[self._columns(_COPY), :_CODES] = scale * torch.eye(_CODES)
        next_but_one = torch.linalg.qr(torch.randn(_CODES, 16, generator=self._random))[0].T
        self._output(2, 1)[self._columns(_AFTER), :_CODES] = 0.5 * scale * next_but_one

    def _mark_of(self, module: nn.Module) -> Tensor:
        found: list[Tensor] = []
        hook = module.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
        self._wide.model(torch.tensor([[BOS, AVAILABLE]]))
        hook.remove()
        return found[0][0, 1, self._old.hidden + _MARK]

    def _which_first(self) -> None:
        """Layer 3: the old heads that find answers, and learn where an argument begins, pass codes on as well."""
        attention, old = self._wide.model.layers[3].self_attn, self._old
        gained = self._width - old.head
        passed = torch.linalg.qr(torch.randn(_CODES, gained, generator=self._random))[0]  # (codes, gained)
        attention.v_proj.weight[old.head : self._width, self._columns(_CODE)] = passed.T
        for head in range(self._heads):
            start = head * self._width + old.head
            attention.o_proj.weight[self._columns(_COPY), start : start + gained] = 12.0 * passed

    def _whether(self) -> None:
        """The MLP of layer 3 can take the copied code back; when it does is learnt."""
        mlp, old = self._wide.model.layers[3].mlp, self._old
        read, _ = self._read(mlp.gate_proj)
        within, _ = self._read(self._wide.model.layers[3].post_attention_layernorm)
        loud = within[:, self._columns(_COPY)].std() / read[:, self._columns(_COPY)].std()
        rows = slice(old.neurons, old.neurons + _CODES)
        mlp.gate_proj.weight[rows] = 0.0
        mlp.up_proj.weight[rows].zero_()[:, self._columns(_COPY)] = torch.eye(_CODES)
        back = -loud / 1.76  # all of it where gates say 2
        mlp.down_proj.weight[self._columns(_COPY), rows] = back * torch.eye(_CODES)


def written(wide: Ministral3ForCausalLM, old: Sizes) -> dict[str, Tensor]:
    """Which entries of each matrix stay as they are written, and which must stay zero so that the circuit works.

    Steps as large for them as for weights that begin at random would tear it apart within a hundred steps.
    """
    masks = {name: torch.zeros_like(p, dtype=torch.bool) for name, p in wide.named_parameters() if p.ndim == 2}
    width, last = wide.config.head_dim, old.hidden + graft.COLUMNS
    for layer, (heads, neurons) in enumerate(((1, 2 * _CODES + 1), (3, _TRAIL), (2, 0), (0, 0))):
        prefix = f"model.layers.{layer}."
        own = slice(old.queries, old.queries + heads * width)
        masks[prefix + "self_attn.q_proj.weight"][own] = True
        masks[prefix + "self_attn.o_proj.weight"][:, own] = True
        for name in ("k_proj", "v_proj"):
            masks[f"{prefix}self_attn.{name}.weight"][old.keys : old.keys + width * min(heads, 1)] = True
        own = slice(old.neurons, old.neurons + neurons)
        masks[prefix + "mlp.gate_proj.weight"][own] = masks[prefix + "mlp.up_proj.weight"][own] = True
        masks[prefix + "mlp.down_proj.weight"][:, own] = True
        for name in ("self_attn.o_proj.weight", "mlp.down_proj.weight"):
            masks[prefix + name][old.hidden : old.hidden + _BEFORE.stop] = True
            if layer < 2:
                masks[prefix + name][last - _CODES :] = True
    masks["model.embed_tokens.weight"][:, old.hidden : old.hidden + _MARK + 1] = True
    masks["lm_head.weight"][:, last - _CODES :] = True
    return masks


def every_token(trunk: Sequence[int], times: int = 2, length: int = 250) -> TreeRows:
    """Rows of a list of tools and all tokens in any order, so that each is met a few times."""
    random = torch.Generator().manual_seed(0)
    ordered = torch.cat([torch.randperm(VOCAB_SIZE - PAD - 1, generator=random) + PAD + 1 for _ in range(times)])
    tokens = ordered[: len(ordered) // length * length].view(-1, length)
    ids = torch.cat([torch.tensor([*trunk, INST]).expand(len(tokens), -1), tokens], dim=1)
    nothing = torch.zeros(0, dtype=torch.long)
    positions = torch.arange(ids.shape[1]).expand_as(ids)
    return TreeRows(ids, positions, torch.zeros_like(ids), nothing, nothing, nothing, nothing.bool())


def _means(read: Tensor, tokens: Tensor) -> Tensor:
    """The mean of what is read at each token of the vocabulary."""
    counts = torch.bincount(tokens, minlength=_TOKENS).clamp(min=1)[:, None]
    return read.new_zeros(_TOKENS, read.shape[1]).index_add_(0, tokens, read) / counts


@torch.enable_grad()
def _codes(random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Codes far from each other, (vocabulary, codes), and what shortens them for a trail, (trail, codes)."""
    mix = torch.linalg.qr(torch.randn(_CODES, _TRAIL, generator=random))[0].T
    codes = torch.randn(_TOKENS, _CODES, generator=random).requires_grad_()
    optimizer = torch.optim.Adam([codes], lr=0.05)
    for _ in range(100):
        loss = torch.zeros(())
        for each in (codes, codes @ mix.T):
            each = nn.functional.normalize(each, dim=1)
            near = each @ each.T - 2 * torch.eye(_TOKENS)
            loss = loss + (20 * near).logsumexp(1).mean()
        loss = loss + (codes.norm(dim=1) - (codes @ mix.T).norm(dim=1) * (_CODES / _TRAIL) ** 0.5).pow(2).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    codes = nn.functional.normalize(codes.detach(), dim=1)
    return codes * _CODES**0.5, mix * (_CODES / _TRAIL) ** 0.5


@torch.enable_grad()
def _at_once(angles: Tensor) -> tuple[Tensor, float]:
    """What share each angle has in a score that is 1 at one distance, and how much lower it is at any other."""
    others = (angles * torch.arange(1, 600)[:, None]).cos()
    weights = torch.zeros(len(angles)).requires_grad_()
    optimizer = torch.optim.Adam([weights], lr=0.05)
    for _ in range(300):
        loss = (100 * others @ weights.softmax(0)).logsumexp(0)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    shares = weights.detach().softmax(0)
    return shares, 1 - float((others @ shares).max())
