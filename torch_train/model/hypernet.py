"""Doc-to-LoRA's hypernetwork in PyTorch: hidden states of a document in, one LoRA per layer out.

Source: arXiv 2602.15902, section 3, and its reference implementation (SakanaAI/doc-to-lora). Same names as
`mlx_hypernet/hypernet.py`; the difference is that training takes all layers of the base in one batch.

Shapes: B contexts, L layers of the base, T tokens, M target modules, r rank, D latent size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from mlx_hypernet.format.config import HypernetConfig
from torch_train.model.attention import attention_by_products, by_products
from torch_train.model.moving import Distinct
from torch_train.model.norm import RMSNorm, rms_norm
from torch_train.model.ragged import Ragged
from torch_train.model.token_pairs import TokenPairs

# Activations dropped and computed again in backward; nothing here is random, so no generator state is kept.
recomputed = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)

MLP_FACTOR = 4
RMS_EPS = 1e-6
FEATURE_BOUND = 8.0  # standard deviations; a few dimensions of raw hidden states are thousands wide
SLAB = 8192  # tokens, of some layers together, that are projected at once: what is inside is the largest of all


class GatedMLP(nn.Module):
    """SiLU-gated MLP without biases."""

    def __init__(self, d_in: int, d_hidden: int, d_out: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(d_in, d_hidden, bias=False)
        self.up_proj = nn.Linear(d_in, d_hidden, bias=False)
        self.down_proj = nn.Linear(d_hidden, d_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., d_in) -> (..., d_out)."""
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


def absorbs(config: HypernetConfig, queries: int, sequences: int, longest: int, tokens: int) -> bool:
    """Whether it is less work to bring the queries into the context's space than the context into the heads'.

    So it is where few latents read a long context that is narrower than its keys and values: Ministral's take a third
    of the products, and no keys and values are stored.

    Args:
        config: Of the hypernetwork.
        queries: Latents of each sequence.
        sequences: Number of contexts, padded.
        longest: Tokens of each, with padding.
        tokens: Tokens of all, without padding.
    """
    asked, width, size = queries * config.num_heads, config.num_kv_heads * config.head_dim, config.latent_size
    moved = asked * size * (longest + config.head_dim) * sequences
    return moved < tokens * size * width + asked * config.head_dim * longest * sequences


class CrossAttention(nn.Module):
    """Latents attend to the context: no positions, not causal, keys and values from the context only."""

    def __init__(self, config: HypernetConfig) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads = config.num_heads, config.num_kv_heads
        self.head_dim = config.head_dim
        self.q_proj = nn.Linear(config.latent_size, self.num_heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(config.latent_size, self.num_kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(config.latent_size, self.num_kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(self.num_heads * self.head_dim, config.latent_size, bias=False)

    def forward(
        self,
        latents: Tensor,
        context: Tensor,
        weight: Tensor,
        mask: Tensor | None,
        row: Ragged | None = None,
        absorbed: bool = False,
    ) -> Tensor:
        """Latents (N, Q, D) read the context, and become (N, Q, D) again.

        Args:
            latents: What asks; (1, Q, D) where all ask the same.
            context: Normalised, (N, T, D); or packed, (L, C, D), the chunks of L layers, and N = L * S.
            weight: Of that norm, (D,).
            mask: (N, 1, 1, T), 0 for tokens to read, minus infinity for others; None for all.
            row: The chunks of a packed context: keys and values are padded, not what they are made from.
            absorbed: As `absorbs` says, for a padded context.
        """
        num_queries, kv_heads, head_dim = latents.shape[1], self.num_kv_heads, self.head_dim
        q = self.q_proj(latents).view(-1, num_queries, kv_heads, self.num_heads // kv_heads, head_dim)
        if absorbed:
            return self.o_proj(self._absorbed(q, context, weight, mask))
        kv = functional.linear(context, torch.cat([self.k_proj.weight, self.v_proj.weight]) * weight)
        if row is not None:
            kv = row.pad(kv, dim=1).flatten(0, 1)
        k, v = kv.unflatten(-1, (2, kv_heads, head_dim)).permute(2, 0, 3, 1, 4)
        n = len(k)
        # Nothing is causal, so query heads that share a key head are just more queries: no keys are repeated.
        q = q.permute(0, 2, 3, 1, 4).flatten(2, 3).expand(n, -1, -1, -1)
        if by_products(q, k):
            x = attention_by_products(q, k, v, None if mask is None else mask[:, None], head_dim**-0.5)
        else:
            x = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x.view(n, self.num_heads, num_queries, head_dim).transpose(1, 2)
        return self.o_proj(x.reshape(n, num_queries, -1))

    def _absorbed(self, q: Tensor, context: Tensor, weight: Tensor, mask: Tensor | None) -> Tensor:
        """Queries (N or 1, Q, kv heads, heads of each, head_dim) -> what the heads read, (N, Q, heads * head_dim).

        q · (W c) is (Wᵀ q) · c, and the mean of W c is W times the mean of c: the normalised context itself is the one
        head of keys and values, for the queries of all heads.
        """
        n, heads, size = len(context), self.num_kv_heads, context.shape[-1]
        count, num_queries, _, sharing, head_dim = q.shape
        weights = torch.cat([self.k_proj.weight, self.v_proj.weight]) * weight
        to_keys, to_values = weights.view(2, heads, head_dim, size).unbind()
        q = torch.bmm(q.permute(2, 0, 3, 1, 4).reshape(heads, -1, head_dim), to_keys)
        q = q.view(heads, count, -1, size).transpose(0, 1).reshape(count, 1, -1, size).expand(n, -1, -1, -1)
        context = context[:, None]
        x = functional.scaled_dot_product_attention(q, context, context, attn_mask=mask, scale=head_dim**-0.5)
        x = torch.bmm(x.view(n, heads, -1, size).transpose(0, 1).reshape(heads, -1, size), to_values.mT)
        return x.view(heads, n, sharing, num_queries, head_dim).permute(1, 3, 0, 2, 4).reshape(n, num_queries, -1)


class PerceiverBlock(nn.Module):
    """Cross-attention and MLP, each normalised before and after."""

    def __init__(self, config: HypernetConfig) -> None:
        super().__init__()
        size = config.latent_size
        self.latents_norm = RMSNorm(size, eps=RMS_EPS)
        self.context_norm = RMSNorm(size, eps=RMS_EPS)
        self.attention = CrossAttention(config)
        self.post_attention_norm = RMSNorm(size, eps=RMS_EPS)
        self.pre_mlp_norm = RMSNorm(size, eps=RMS_EPS)
        self.mlp = GatedMLP(size, MLP_FACTOR * size, size)
        self.post_mlp_norm = RMSNorm(size, eps=RMS_EPS)

    def forward(
        self, x: Tensor, context: Tensor, mask: Tensor | None, row: Ragged | None = None, absorbed: bool = False
    ) -> Tensor:
        """Latents x (N, Q, D) or (1, Q, D) -> (N, Q, D); the rest as `CrossAttention` takes it."""
        # The norm's weight goes into what projects keys and values: all blocks read one normalised context.
        attended = self.attention(self.latents_norm(x), context, self.context_norm.weight, mask, row, absorbed)
        x = x + self.post_attention_norm(attended)
        return x + self.post_mlp_norm(self.mlp(self.pre_mlp_norm(x)))


class Perceiver(nn.Module):
    """Learned latents that read a context through a stack of blocks."""

    def __init__(self, config: HypernetConfig, num_latents: int, num_blocks: int) -> None:
        super().__init__()
        self.config = config
        self.latents = nn.Parameter(torch.randn(num_latents, config.latent_size))
        self.blocks = nn.ModuleList(PerceiverBlock(config) for _ in range(num_blocks))
        self.norm = RMSNorm(config.latent_size, eps=RMS_EPS)

    def forward(
        self, context: Tensor, mask: Tensor | None = None, row: Ragged | None = None, recompute: bool = False
    ) -> Tensor:
        """The context -> (N, num_latents, D).

        Args:
            context: (N, T, D), or packed, (L, C, D).
            mask: (N, T) of a padded context, True for tokens to read.
            row: The chunks of a packed one.
            recompute: Drops the blocks' activations until backward.
        """
        count, longest = context.shape[:2]
        tokens = count * longest
        if row is not None:
            mask = None if row.full else row.mask.repeat(count, 1)
            count, longest = count * row.count, row.longest
        x, context = self.latents[None], rms_norm(context, None, RMS_EPS)
        if mask is not None:  # as numbers: SDPA would make them of a mask in every block
            mask = torch.zeros_like(mask, dtype=context.dtype).masked_fill_(~mask, float("-inf"))[:, None, None]
        absorbed = absorbs(self.config, x.shape[1], count, longest, tokens)
        if absorbed and row is not None:
            context, row = row.pad(context, dim=1).flatten(0, 1), None
        for block in self.blocks:
            read = (x, context, mask, row, absorbed)
            x = recomputed(block, *read) if recompute else block(*read)
        return self.norm(x)


class LayerLinear(nn.Module):
    """A linear map with weights for each base layer, or one for all of them (a layer axis of length 1)."""

    def __init__(self, num_layers: int, d_in: int, d_out: int) -> None:
        super().__init__()
        # Variance 1/d_in, as einops' EinMix draws it in the reference.
        weight_bound, bias_bound = math.sqrt(3 / d_in), math.sqrt(1 / d_in)
        self.weight = nn.Parameter(torch.empty(num_layers, d_in, d_out).uniform_(-weight_bound, weight_bound))
        self.bias = nn.Parameter(torch.empty(num_layers, d_out).uniform_(-bias_bound, bias_bound))

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, N, d_in) -> (B, L, N, d_out)."""
        # einsum rather than @: that one would copy the weights for each of the B contexts.
        return torch.einsum("blni,lio->blno", x, self.weight) + self.bias[:, None]


class PreHeadMLP(nn.Module):
    """Residual MLP between Perceiver and head; its two LayerNorms are shared by all layers."""

    def __init__(self, config: HypernetConfig) -> None:
        super().__init__()
        size = config.latent_size
        num_layers = config.num_layers if config.per_layer_processing else 1
        self.norm_in = nn.LayerNorm(size)
        self.up = LayerLinear(num_layers, size, MLP_FACTOR * size)
        self.down = LayerLinear(num_layers, MLP_FACTOR * size, size)
        self.norm_out = nn.LayerNorm(size)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, N, D) -> same."""
        return x + self.norm_out(self.down(functional.silu(self.up(self.norm_in(x)))))


class Head(nn.Module):
    """Per layer and module, a linear map without bias from a latent to one row of A and of B."""

    def __init__(self, config: HypernetConfig) -> None:
        super().__init__()
        std = 0.5 / math.sqrt(config.latent_size + config.d_lora * config.rank)
        shape = (config.num_layers, len(config.modules), config.latent_size, config.d_lora)
        self.weight = nn.Parameter(torch.randn(shape) * std)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, M, r, D) -> (B, L, M, r, d_lora)."""
        return torch.einsum("blmri,lmio->blmro", x, self.weight)


class HyperNetwork(nn.Module):
    """From hidden states of the base to the adapter of one chunk, and the bias pair shared by all chunks."""

    feature_mean: Tensor
    feature_deviation: Tensor

    def __init__(self, config: HypernetConfig) -> None:
        super().__init__()
        self.config = config
        self.recompute = False  # gradient checkpointing of projection and Perceiver
        size, layers, rank = config.latent_size, config.num_layers, config.rank
        hidden = config.hidden_size
        if config.feature_norm:
            self.register_buffer("feature_mean", torch.zeros(layers, hidden))
            self.register_buffer("feature_deviation", torch.ones(layers, hidden))
        self.token_pairs = TokenPairs(config) if config.token_pairs else None
        self.modality_projection = GatedMLP(hidden, config.projection_factor * hidden, size)
        self.encoder = Perceiver(config, config.num_latents, config.num_blocks)
        self.decoder = Perceiver(config, config.queries, 1)
        self.pre_head = nn.ModuleList(PreHeadMLP(config) for _ in range(config.num_pre_head_layers))
        self.head = Head(config)
        self.bias_A, self.bias_B = nn.ParameterDict(), nn.ParameterDict()
        self.scaler_A, self.scaler_B = nn.ParameterDict(), nn.ParameterDict()
        for name, (d_in, d_out) in config.modules.items():
            self.bias_A[name] = nn.Parameter(torch.randn(layers, rank, d_in) * 0.2 / math.sqrt(d_in * rank))
            self.bias_B[name] = nn.Parameter(torch.zeros(layers, rank, d_out))
            self.scaler_A[name] = nn.Parameter(torch.ones(layers, rank, 1))
            # B starts at zero: an untrained hypernetwork does not change the base.
            self.scaler_B[name] = nn.Parameter(torch.zeros(layers, rank, 1))

    def forward(self, features: Tensor, mask: Tensor | None = None) -> dict[str, tuple[Tensor, Tensor]]:
        """Generate the adapters of a batch of chunks.

        Args:
            features: (B, L, T, feature_size), for each layer of the base its input (see `mlx_hypernet/encoder.py`).
            mask: (B, T), True for real tokens; None when nothing is padded.

        Returns:
            Module -> (A (B, L, r, d_in), B (B, L, r, d_out)), without the bias pair, in fp32.
        """
        batch, layers, length = features.shape[:3]
        pairs = None
        if self.token_pairs is not None:
            own = features.new_ones(batch, length, dtype=torch.bool) if mask is None else mask
            pairs = self.token_pairs(
                [features[:, layer][own] for layer in range(layers)], Ragged.of(own.sum(1).tolist())
            )
            features = features[..., : self.config.hidden_size]
        mask = None if mask is None else mask.repeat_interleave(layers, dim=0)
        if self.config.feature_norm:
            features = torch.stack([self.standardise(features[:, layer], layer) for layer in range(layers)], 1)
        latents = self.read(self.project(features.flatten(0, 1)), mask)
        return self.generate(latents.unflatten(0, (batch, layers)), pairs)

    def packed(
        self, features: Sequence[Tensor], row: Ragged, distinct: Distinct | None = None
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """The adapters of packed chunks, as `forward` returns them; features of each layer, (C, feature_size)."""
        if self.token_pairs is None:
            return self.generate(self.read_packed(features, row, distinct))
        read = [feature[:, : self.config.hidden_size] for feature in features]
        return self.generate(self.read_packed(read, row, distinct), self.token_pairs(features, row))

    def compile_parts(self, backend: str = "inductor") -> None:
        """Let `torch.compile` fuse the parts that are nothing but products and element-wise operations, in place.

        Args:
            backend: Of `torch.compile`.
        """
        for part in self.modules():
            if isinstance(part, GatedMLP | PreHeadMLP | Head):
                part.compile(backend=backend, dynamic=True)  # the number of tokens differs from batch to batch

    def standardise(self, features: Tensor, layers: int | slice) -> Tensor:
        """Features brought to mean 0 and deviation 1, cut at `FEATURE_BOUND`.

        Args:
            features: (..., T, hidden), of one adapted layer; or of some, (layers, T, hidden).
            layers: Which.
        """
        if not self.config.feature_norm:
            return features
        mean, deviation = (part[layers].unsqueeze(-2) for part in (self.feature_mean, self.feature_deviation))
        normed = (features.float() - mean) / deviation
        return normed.clamp(-FEATURE_BOUND, FEATURE_BOUND).to(features.dtype)

    def project(self, features: Tensor) -> Tensor:
        """Hidden states to the Perceiver's width, token by token: (..., hidden) -> (..., D)."""
        with self._autocast(features):
            if not torch.is_autocast_enabled(features.device.type):
                features = features.to(self.modality_projection.gate_proj.weight.dtype)
            if self.recompute:  # 4 * hidden wide inside: the largest activations of all
                return recomputed(self.modality_projection, features)
            return self.modality_projection(features)

    def read(self, context: Tensor, mask: Tensor | None = None, row: Ragged | None = None) -> Tensor:
        """The Perceiver over projected chunks, as its `forward` takes them -> (N, M * r, D) in fp32."""
        with self._autocast(context):
            latents = self.encoder(context, mask, row, self.recompute)
            return self.decoder(latents, recompute=self.recompute).float()

    def read_packed(self, features: Sequence[Tensor], row: Ragged, distinct: Distinct | None = None) -> Tensor:
        """Projection and Perceiver over packed chunks.

        Args:
            features: Of each adapted layer, (C, hidden).
            row: The chunks.
            distinct: Which tokens have the same features in the first layer; these are projected once.

        Returns:
            (S, L, M * r, D) in fp32.
        """
        step = max(1, SLAB // max(1, row.total))
        with self._autocast(features[0]):  # around all of it: weights are cast once
            slabs = []
            if distinct is not None:
                once = self.standardise(features[0].index_select(0, distinct.first)[None], slice(0, 1))
                slabs.append(self.project(once).index_select(1, distinct.which))
            for start in range(len(slabs), len(features), step):
                layers = slice(start, start + step)
                slabs.append(self.project(self.standardise(torch.stack(list(features[layers])), layers)))
            latents = self.read(torch.cat(slabs) if len(slabs) > 1 else slabs[0], row=row)
        return latents.unflatten(0, (len(features), row.count)).transpose(0, 1)

    def generate(
        self, latents: Tensor, token_pairs: dict[str, tuple[Tensor, Tensor]] | None = None
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """From what the Perceiver read, (B, L, M * r, D), and `TokenPairs` to the pairs that `forward` returns."""
        modules, rank = self.config.modules, self.config.rank
        x = latents
        if self.config.exit_layer is not None:  # (B, 1, L * M * r, D): one reading for all layers
            x = latents.flatten(1, 2).unflatten(1, (self.config.num_layers, -1))
        for mlp in self.pre_head:
            x = mlp(x)
        gates = self.token_pairs.gates(x) if self.token_pairs is not None else None
        x = x / x.norm(dim=-1, keepdim=True)
        x = self.head(x.unflatten(2, (len(modules), rank)))
        pairs = {}
        for i, (name, (d_in, d_out)) in enumerate(modules.items()):
            a, b = x[:, :, i, :, : d_in + d_out].split((d_in, d_out), dim=-1)
            a, b = a * self.scaler_A[name], b * self.scaler_B[name]
            if token_pairs is not None and gates is not None:
                key, word = token_pairs[name]
                a, b = a + key, b + word * gates[:, :, i]
            pairs[name] = a, b
        return pairs

    @staticmethod
    def _autocast(x: Tensor) -> torch.autocast:
        # As the reference: the Perceiver in bf16 where there is CUDA, everything after it in fp32. A base in bf16 on a
        # CPU says that its processor is fast in it. Where training puts everything into bf16, it stays so.
        enabled = x.is_cuda or x.dtype == torch.bfloat16 or torch.is_autocast_enabled(x.device.type)
        return torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=enabled)

    def bias(self) -> dict[str, tuple[Tensor, Tensor]]:
        """The learned pair, appended once for all chunks: module -> (A (L, r, d_in), B (L, r, d_out))."""
        return {name: (self.bias_A[name], self.bias_B[name]) for name in self.config.modules}
