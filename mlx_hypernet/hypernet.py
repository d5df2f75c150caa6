"""Doc-to-LoRA's hypernetwork in MLX: hidden states of one base layer in, the LoRA of that layer out.

Source: arXiv 2602.15902, section 3, and its reference implementation (SakanaAI/doc-to-lora). Same names as
`torch_train/model/hypernet.py`; the difference is that inference takes the layers one by one, so that their
features need not exist at the same time. Parameters always come from a bundle, so they start as anything.

Shapes: B chunks, T tokens, M target modules, r rank, D latent size, L layers of the base.
"""

from __future__ import annotations

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten

from mlx_hypernet.format.config import HypernetConfig
from mlx_hypernet.token_pairs import TokenPairs

MLP_FACTOR = 4
RMS_EPS = 1e-6
FEATURE_BOUND = 8.0  # standard deviations; a few dimensions of raw hidden states are thousands wide


class GatedMLP(nn.Module):
    """SiLU-gated MLP without biases."""

    def __init__(self, d_in: int, d_hidden: int, d_out: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(d_in, d_hidden, bias=False)
        self.up_proj = nn.Linear(d_in, d_hidden, bias=False)
        self.down_proj = nn.Linear(d_hidden, d_out, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        """(..., d_in) -> (..., d_out)."""
        return self.down_proj(nn.silu(self.gate_proj(x)) * self.up_proj(x))


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

    def __call__(self, latents: mx.array, context: mx.array, mask: mx.array | None) -> mx.array:
        """Latents (B, Q, D), context (B, T, D), mask (B, T) with True for tokens to read -> (B, Q, D)."""
        q = self._split_heads(self.q_proj(latents), self.num_heads)
        k = self._split_heads(self.k_proj(context), self.num_kv_heads)
        v = self._split_heads(self.v_proj(context), self.num_kv_heads)
        mask = None if mask is None else mask[:, None, None, :]
        x = mx.fast.scaled_dot_product_attention(q, k, v, scale=self.head_dim**-0.5, mask=mask)
        return self.o_proj(x.transpose(0, 2, 1, 3).flatten(2))

    def _split_heads(self, x: mx.array, num_heads: int) -> mx.array:
        return x.reshape(*x.shape[:2], num_heads, self.head_dim).transpose(0, 2, 1, 3)


class PerceiverBlock(nn.Module):
    """Cross-attention and MLP, each normalised before and after."""

    def __init__(self, config: HypernetConfig) -> None:
        super().__init__()
        size = config.latent_size
        self.latents_norm = nn.RMSNorm(size, eps=RMS_EPS)
        self.context_norm = nn.RMSNorm(size, eps=RMS_EPS)
        self.attention = CrossAttention(config)
        self.post_attention_norm = nn.RMSNorm(size, eps=RMS_EPS)
        self.pre_mlp_norm = nn.RMSNorm(size, eps=RMS_EPS)
        self.mlp = GatedMLP(size, MLP_FACTOR * size, size)
        self.post_mlp_norm = nn.RMSNorm(size, eps=RMS_EPS)

    def __call__(self, x: mx.array, context: mx.array, mask: mx.array | None) -> mx.array:
        """Latents x (B, Q, D), context (B, T, D), mask (B, T) -> (B, Q, D)."""
        attended = self.attention(self.latents_norm(x), self.context_norm(context), mask)
        x = x + self.post_attention_norm(attended)
        return x + self.post_mlp_norm(self.mlp(self.pre_mlp_norm(x)))


class Perceiver(nn.Module):
    """Learned latents that read a context through a stack of blocks."""

    def __init__(self, config: HypernetConfig, num_latents: int, num_blocks: int) -> None:
        super().__init__()
        self.latents = mx.zeros((num_latents, config.latent_size))
        self.blocks = [PerceiverBlock(config) for _ in range(num_blocks)]
        self.norm = nn.RMSNorm(config.latent_size, eps=RMS_EPS)

    def __call__(self, context: mx.array, mask: mx.array | None = None) -> mx.array:
        """Context (B, T, D) -> (B, num_latents, D)."""
        x = mx.broadcast_to(self.latents, (context.shape[0], *self.latents.shape))
        for block in self.blocks:
            x = block(x, context, mask)
        return self.norm(x)


class LayerMatrices(nn.Module):
    """Matrices stacked on the base's layers, (L, ..., d_in, d_out); dense, or quantised along their last axis."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = mx.zeros(shape)

    def matrix(self, layer: int) -> mx.array:
        """(..., d_in, d_out) of one layer; dequantised, the same arithmetic follows whatever the storage."""
        if "scales" not in self:
            return self.weight[layer]
        return mx.dequantize(
            self.weight[layer], self.scales[layer], self.biases[layer], group_size=self.group_size, bits=self.bits
        )

    def to_quantized(self, group_size: int, bits: int, mode: str = "affine") -> LayerMatrices:
        """What `mlx.nn.quantize` calls; changes and returns this module."""
        self.weight, self.scales, self.biases = mx.quantize(self.weight, group_size, bits, mode)
        self.group_size, self.bits = group_size, bits
        return self


class LayerLinear(LayerMatrices):
    """A linear map with weights for each base layer, or one for all of them (a layer axis of length 1)."""

    def __init__(self, num_layers: int, d_in: int, d_out: int) -> None:
        super().__init__(num_layers, d_in, d_out)
        self.bias = mx.zeros((num_layers, d_out))

    def __call__(self, x: mx.array, layer: int) -> mx.array:
        """(B, N, d_in) -> (B, N, d_out)."""
        layer = min(layer, self.weight.shape[0] - 1)
        return x @ self.matrix(layer) + self.bias[layer]


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

    def __call__(self, x: mx.array, layer: int) -> mx.array:
        """(B, N, D) -> same."""
        return x + self.norm_out(self.down(nn.silu(self.up(self.norm_in(x), layer)), layer))


class Head(LayerMatrices):
    """Per layer and module, a linear map without bias from a latent to one row of A and of B."""

    def __init__(self, config: HypernetConfig) -> None:
        super().__init__(config.num_layers, len(config.modules), config.latent_size, config.d_lora)

    def __call__(self, x: mx.array, layer: int) -> mx.array:
        """(B, M, r, D) -> (B, M, r, d_lora)."""
        return x @ self.matrix(layer)


class HyperNetwork(nn.Module):
    """From hidden states of the base to the adapter of one chunk, and the bias pair shared by all chunks."""

    def __init__(self, config: HypernetConfig) -> None:
        super().__init__()
        self.config = config
        size, layers, rank = config.latent_size, config.num_layers, config.rank
        hidden = config.hidden_size
        if config.feature_norm:
            self.feature_mean = mx.zeros((layers, hidden))
            self.feature_deviation = mx.ones((layers, hidden))
        self.modality_projection = GatedMLP(hidden, config.projection_factor * hidden, size)
        if config.token_pairs:
            self.token_pairs = TokenPairs(config)
        self.encoder = Perceiver(config, config.num_latents, config.num_blocks)
        self.decoder = Perceiver(config, config.queries, 1)
        self.pre_head = [PreHeadMLP(config) for _ in range(config.num_pre_head_layers)]
        self.head = Head(config)
        modules = config.modules.items()
        self.bias_A = {name: mx.zeros((layers, rank, d_in)) for name, (d_in, _) in modules}
        self.bias_B = {name: mx.zeros((layers, rank, d_out)) for name, (_, d_out) in modules}
        self.scaler_A = {name: mx.ones((layers, rank, 1)) for name, _ in modules}
        self.scaler_B = {name: mx.zeros((layers, rank, 1)) for name, _ in modules}

    def __call__(
        self, features: mx.array, layer: int, mask: mx.array | None = None
    ) -> dict[str, tuple[mx.array, mx.array]]:
        """Generate the adapters of one base layer for a batch of chunks.

        Args:
            features: (B, T, feature_size), the layer's features (see `encoder.layer_features`).
            layer: index of the layer among the adapted ones.
            mask: (B, T), True for real tokens; None when nothing is padded.

        Returns:
            Module -> (A (B, r, d_in), B (B, r, d_out)), without the bias pair, in fp32.
        """
        pairs = self.token_pairs(features, layer, mask) if self.config.token_pairs else None
        features = features[..., : self.config.hidden_size]
        return self.generate(self.read(self.standardise(features, layer), mask), layer, pairs)

    def read(self, features: mx.array, mask: mx.array | None = None) -> mx.array:
        """What the Perceiver makes of standardised features (B, T, hidden), mask (B, T): (B, queries, D) in fp32."""
        # The Perceiver in the dtype of its weights, everything after it in fp32, as in the reference.
        context = self.modality_projection(features.astype(self.encoder.latents.dtype))
        return self.decoder(self.encoder(context, mask)).astype(mx.float32)

    def generate(
        self, latents: mx.array, layer: int, token_pairs: dict[str, tuple[mx.array, mx.array]] | None = None
    ) -> dict[str, tuple[mx.array, mx.array]]:
        """The adapters of one layer, from what `read` made of its features, or of all layers' at once."""
        modules, rank = self.config.modules, self.config.rank
        each = len(modules) * rank
        x = latents if self.config.exit_layer is None else latents[:, layer * each : (layer + 1) * each]
        for mlp in self.pre_head:
            x = mlp(x, layer)
        gates = self.token_pairs.gates(x) if token_pairs is not None else None
        x = x / mx.linalg.norm(x, axis=-1, keepdims=True)
        x = self.head(x.reshape(-1, len(modules), rank, self.config.latent_size), layer)
        pairs = {}
        for i, (name, (d_in, d_out)) in enumerate(modules.items()):
            a, b = x[:, i, :, :d_in], x[:, i, :, d_in : d_in + d_out]
            a, b = a * self.scaler_A[name][layer], b * self.scaler_B[name][layer]
            if token_pairs is not None and gates is not None:
                key, word = token_pairs[name]
                a, b = a + key, b + word * gates[:, i]
            pairs[name] = a, b
        return pairs

    def standardise(self, features: mx.array, layer: int) -> mx.array:
        """Features of one adapted layer, (..., hidden), brought to mean 0 and deviation 1, cut at `FEATURE_BOUND`."""
        if not self.config.feature_norm:
            return features
        normed = (features.astype(mx.float32) - self.feature_mean[layer]) / self.feature_deviation[layer]
        return mx.clip(normed, -FEATURE_BOUND, FEATURE_BOUND).astype(features.dtype)

    def bias(self, layer: int) -> dict[str, tuple[mx.array, mx.array]]:
        """The learned pair, appended once for all chunks: module -> (A (r, d_in), B (r, d_out))."""
        return {name: (self.bias_A[name][layer], self.bias_B[name][layer]) for name in self.config.modules}

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of every parameter; MLX being lazy, nothing is allocated for it."""
        return {name: tuple(parameter.shape) for name, parameter in tree_flatten(self.parameters())}  # type: ignore
