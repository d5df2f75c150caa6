"""The matcher in PyTorch, as `mlx_hypernet.matcher` has it: same names, same numbers."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mlx_hypernet.format.config import MatcherConfig

_SPACES = "\u0120\u2581 \u010a\n"  # how vocabularies write spaces and line ends
_HIDDEN = -1e9


class Block(nn.Module):
    """See `mlx_hypernet.matcher.Block`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.same = nn.Parameter(torch.zeros(heads))

    def forward(self, x: Tensor, mask: Tensor, same: Tensor) -> Tensor:
        """(N, T, width) -> (N, T, width); mask (N, 1, 1, T) and same (N, 1, T, T) go to the scores."""
        n, length, width = x.shape
        qkv = self.qkv(self.norm_attention(x)).view(n, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        weights = F.scaled_dot_product_attention(q, k, v, attn_mask=mask + self.same[:, None, None] * same)
        x = x + self.output(weights.transpose(1, 2).reshape(n, length, width))
        return x + self.down(F.gelu(self.up(self.norm_mlp(x))))


class Matcher(nn.Module):
    """See `mlx_hypernet.matcher.Matcher`.

    Args:
        config: its shape.
        words: (V,) a number for each id of the vocabulary, as `words_of` makes it.
        mean, deviation: (hidden,) of the base's features, by which they are standardised.
    """

    words: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, config: MatcherConfig, words: Tensor, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        width = config.width
        self.register_buffer("words", words)
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.read = nn.Linear(len(mean), width)
        self.start = nn.Parameter(torch.randn(width) * 0.02)
        self.side, self.shared = nn.Parameter(torch.zeros(2, width)), nn.Parameter(torch.zeros(2, width))
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.blocks))
        self.norm, self.verdict = nn.LayerNorm(width), nn.Linear(width, 3)

    def forward(self, question: Texts, chunk: Texts) -> Tensor:
        """Logits (N, 3) of N questions and as many chunks: unrelated, silent, answers."""
        same = (question.words[:, :, None] == chunk.words[:, None]) & question.own[:, :, None] & chunk.own[:, None]
        left = self._tokens(question) + self.side[0] + same.any(2)[..., None] * self.shared[0]
        right = self._tokens(chunk) + self.side[1] + same.any(1)[..., None] * self.shared[1]
        n, asked, told = same.shape
        x = torch.cat([self.start.expand(n, 1, -1), left, right], 1)
        own = torch.cat([question.own.new_ones(n, 1), question.own, chunk.own], 1)
        mask = torch.zeros(n, 1, 1, 1 + asked + told).masked_fill(~own[:, None, None], _HIDDEN)
        full = torch.zeros(n, 1, 1 + asked + told, 1 + asked + told)
        full[:, 0, 1 : 1 + asked, 1 + asked :] = same
        full[:, 0, 1 + asked :, 1 : 1 + asked] = same.transpose(1, 2)
        for block in self.blocks:
            x = block(x, mask, full)
        return self.verdict(self.norm(x[:, 0]))

    def _tokens(self, texts: Texts) -> Tensor:
        return self.read((texts.features - self.mean) / self.deviation)


class Texts:
    """Texts of a batch, filled up to one length.

    Args:
        features: of each text, (T, hidden).
        ids: of each text, (T,).
        words: a number for each id.
    """

    def __init__(self, features: list[Tensor], ids: list[Tensor], words: Tensor) -> None:
        longest = max(1, *map(len, ids))
        self.features = torch.zeros(len(ids), longest, features[0].shape[-1])
        self.words = torch.zeros(len(ids), longest, dtype=words.dtype)
        self.own = torch.zeros(len(ids), longest, dtype=torch.bool)
        for row, (some, text) in enumerate(zip(features, ids, strict=True)):
            self.features[row, : len(text)] = some
            self.words[row, : len(text)] = words[text.long()]
            self.own[row, : len(text)] = True


def words_of(tokenizer: Any, size: int) -> Tensor:
    """For each of `size` ids the first one that is written with the same letters, spaces and case aside."""
    first: dict[str, int] = {}
    written = [*tokenizer.convert_ids_to_tokens(range(len(tokenizer))), *[None] * size][:size]
    numbers = [first.setdefault(t.strip(_SPACES).casefold(), i) if t else i for i, t in enumerate(written)]
    return torch.tensor(numbers, dtype=torch.int32)
