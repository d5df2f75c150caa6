"""The matcher: does a chunk answer a question, is it at least about the same, or has it nothing to do with it?

A small cross-encoder (as in Nogueira and Cho, Passage Re-ranking with BERT, 2019) that reads what the base made of both
texts. A chunk is read when it is absorbed: what a question is compared with are its stored tokens, and no text goes
through the base again. Words that both sides have are marked: features alone lose which name or number they stand for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import mlx.core as mx
import numpy as np
from mlx import nn
from numpy.typing import NDArray

from mlx_hypernet.format.config import MatcherConfig
from mlx_hypernet.marks import Marks, Match

FILE = "matcher.safetensors"
UNRELATED, SILENT, ANSWERS = range(3)  # what a chunk can be to a question
_HIDDEN = -1e9  # added to the score of a token that only fills a row


class Block(nn.Module):
    """Attention over both texts and an MLP, each after a norm and around a residual.

    Args:
        width: of a token.
        heads: of the attention; each has a weight for tokens of the same word on the other side.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.same = mx.zeros((heads,))

    def __call__(self, x: mx.array, mask: mx.array, same: mx.array) -> mx.array:
        """Return the tokens (N, T, width) after this block.

        Args:
            x: (N, T, width).
            mask: (N, 1, 1, T), 0 or what hides a padded token.
            same: (N, 1, T, T), 1 where two tokens are of one word.
        """
        n, length, width = x.shape
        qkv = self.qkv(self.norm_attention(x)).reshape(n, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(width // self.heads)
        weights = mx.softmax(scores + mask + self.same[:, None, None] * same, axis=-1)
        x = x + self.output((weights @ v).transpose(0, 2, 1, 3).reshape(n, length, width))
        return x + self.down(nn.gelu(self.up(self.norm_mlp(x))))


class Matcher(nn.Module):
    """Reads a question and chunks side by side.

    Args:
        config: its shape.
        hidden_size: width of the base.
        vocab_size: of the base. `words` has a number for each id: the same for tokens of the same letters.
    """

    def __init__(self, config: MatcherConfig, hidden_size: int, vocab_size: int) -> None:
        super().__init__()
        self.words = mx.zeros((vocab_size,), mx.int32)
        self.config = config
        width = config.width
        self.mean, self.deviation = mx.zeros((hidden_size,)), mx.ones((hidden_size,))
        self.read = nn.Linear(hidden_size, width)
        self.start, self.side, self.shared = mx.zeros((width,)), mx.zeros((2, width)), mx.zeros((2, width))
        self.blocks = [Block(width, config.heads) for _ in range(config.blocks)]
        self.norm, self.verdict = nn.LayerNorm(width), nn.Linear(width, 3)

    def marks(self, features: mx.array, ids: Sequence[Sequence[int]], spans: Sequence[tuple[int, int]]) -> list[Marks]:
        """Mark the texts of a batch.

        Args:
            features: (B, T, hidden) of the base, the input of block `config.layer`.
            ids: of each text, with the template's around them.
            spans: for each text, the first of its own tokens and the one after the last.
        """
        tokens = np.array(self.read((features.astype(mx.float32) - self.mean) / self.deviation), np.float16)
        table = np.array(self.words)
        return [
            Marks(table[list(text[first:after])], tokens[row, first:after])
            for row, (text, (first, after)) in enumerate(zip(ids, spans, strict=True))
        ]

    def __call__(self, question: Marks, chunks: Sequence[Marks]) -> list[Match]:
        """Compare a question with chunks, all at once."""
        if not chunks:
            return []
        most = max(1, *(len(chunk.words) for chunk in chunks))
        asked, n, width = len(question.words), len(chunks), self.config.width
        words, tokens = np.full((n, most), -1, np.int32), np.zeros((n, most, width), np.float32)
        for row, chunk in enumerate(chunks):
            words[row, : len(chunk.words)], tokens[row, : len(chunk.words)] = chunk.words, chunk.tokens
        pairs = question.words[:, None] == words[:, None]  # (N, question, chunk)
        same = np.zeros((n, 1, 1 + asked + most, 1 + asked + most), np.float32)
        same[:, 0, 1 : 1 + asked, 1 + asked :] = pairs
        same[:, 0, 1 + asked :, 1 : 1 + asked] = pairs.transpose(0, 2, 1)
        mask = np.zeros((n, 1, 1, 1 + asked + most), np.float32)
        mask[:, 0, 0, 1 + asked :][words < 0] = _HIDDEN
        left = mx.array(question.tokens.astype(np.float32)) + self.side[0]
        left = left + mx.array(pairs.any(2)[..., None]) * self.shared[0]
        right = mx.array(tokens) + self.side[1] + mx.array(pairs.any(1)[..., None]) * self.shared[1]
        x = mx.concatenate([mx.broadcast_to(self.start, (n, 1, width)), left, right], axis=1)
        hidden, alike = mx.array(mask), mx.array(same)
        for block in self.blocks:
            x = block(x, hidden, alike)
        verdict = np.array(self.verdict(self.norm(x[:, 0])).astype(mx.float32), np.float64)
        return [_match(row) for row in verdict]


def _match(verdict: NDArray[np.float64]) -> Match:
    """What the three logits say."""
    others = np.logaddexp(verdict[UNRELATED], verdict[SILENT])
    related = np.logaddexp(verdict[SILENT], verdict[ANSWERS])
    return Match(float(verdict[ANSWERS] - others), float(related - verdict[UNRELATED]))
