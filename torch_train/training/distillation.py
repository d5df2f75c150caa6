"""What is trained: contexts go through the frozen base into the hypernetwork, questions through the base it adapts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from torch_train.model.base import FrozenBase
from torch_train.model.encoder import packed_features
from torch_train.model.hypernet import HyperNetwork, recomputed
from torch_train.model.lora import Adapters, Injected, by_layer
from torch_train.model.loss import (
    answer_losses,
    context_losses,
    cross_entropies,
    first_tokens,
    magnitude,
    token_losses,
)
from torch_train.model.ragged import Ragged
from torch_train.training.packing import PackedBatch

LOGITS = 2**26  # numbers of the student's logits that are held at once: 256 MB in fp32, and as much again in backward


class Losses(NamedTuple):
    """Of one packed batch, as sums: the caller divides them by what counts once, of all batches of a step.

    What counts once is a context, or with `weight="question"` a question; then the means over answers fall away.

    A tuple, since sharding looks for tensors in what a module returns, and sees into no dataclass.

    Attributes:
        distillation: Sum over contexts of the mean over their answers of the mean over tokens; of cross-entropies where
            the answers themselves are learnt.
        decision: Sum over contexts of the mean over their answers of the first token: the one that decides what the
            answer is, and of a long refusal the only one to learn.
        magnitude: Sum over contexts of mean |A| + mean |B| of the combined adapter that their questions see.
    """

    distillation: Tensor
    decision: Tensor
    magnitude: Tensor


class DistillationModel(nn.Module):
    """The hypernetwork between a frozen encoder and a frozen base.

    Its only parameters are the hypernetwork's: base and encoder are kept from `nn.Module`, so that they are neither
    saved nor sent between devices nor sharded.

    Args:
        hypernet: What learns.
        base: What the adapters are for.
        encoder: What reads the contexts: the base itself, or its quantised copy.
        recompute: Gradient checkpointing of the base's blocks, the projection and the Perceiver.
        neftune: Strength of the noise on the student's embeddings (arXiv 2310.05914); 0 for none.
        loss: Imitate the teacher's distribution, or learn the answers' own tokens.
        weight: What counts once: a context with all its questions, or each question.
        precision: As the app computes, or all in bf16 autocast as the reference trains.
    """

    def __init__(
        self,
        hypernet: HyperNetwork,
        base: FrozenBase,
        encoder: FrozenBase,
        *,
        recompute: bool,
        neftune: float = 0.0,
        loss: Literal["distillation", "cross_entropy"] = "distillation",
        weight: Literal["context", "question"] = "context",
        precision: Literal["inference", "autocast"] = "inference",
    ) -> None:
        super().__init__()
        self.hypernet = hypernet
        hypernet.recompute = recompute
        self._frozen = (base, encoder)
        config = hypernet.config
        self._injected = Injected(base.layers, tuple(config.modules), config.scale, config.first_layer)
        self.recompute, self._neftune = recompute, neftune
        self._loss, self._weight, self._precision = loss, weight, precision

    def forward(self, batch: PackedBatch, noise: torch.Generator | None = None, *, swapped: bool = False) -> Losses:
        """The losses of one batch.

        Args:
            batch: The batch.
            noise: Draws NEFTune's noise; None for none.
            swapped: Every chunk's adapter is replaced by that of the chunk before. What the losses rise by is what
                flows from the documents through the adapters.
        """
        with self._autocast(batch):
            chunks = self._read_for(batch, swapped)
            per_token = self._token_losses(self._student(batch, chunks, noise), batch)
        first = first_tokens(batch.answers).to(per_token.dtype)
        return Losses(self._sum(per_token, batch), self._sum(per_token, batch, first), self._magnitude(batch, chunks))

    def _sum(self, per_token: Tensor, batch: PackedBatch, weights: Tensor | None = None) -> Tensor:
        if self._weight == "question":
            return answer_losses(per_token, batch.answers, len(batch.input_contexts), weights)[0].sum()
        contexts = len(batch.context_groups)
        return context_losses(per_token, batch.answers, batch.input_contexts, contexts, weights)[0].sum()

    def _magnitude(self, batch: PackedBatch, chunks: Adapters) -> Tensor:
        groups = batch.context_groups
        per_context = torch.ones_like(groups, dtype=torch.float32)
        if self._weight == "question":
            asked = torch.ones_like(batch.input_contexts, dtype=torch.float32)
            per_context = torch.zeros_like(per_context).index_add(0, batch.input_contexts, asked)
        weights = per_context.new_zeros(len(groups) + 1).index_add(0, groups, per_context)  # they begin at 0 or 1
        return magnitude(chunks, self.hypernet.bias(), groups[batch.chunk_contexts], weights)

    @torch.no_grad()
    def predictions(self, batch: PackedBatch, *, swapped: bool = False) -> Tensor:
        """The most probable token at every place of an answer, given the right ones before it, (N,).

        A greedy answer is right as a whole exactly where all of these are.

        Args:
            batch: The batch.
            swapped: As in `forward`.
        """
        with self._autocast(batch):
            hidden = self._student(batch, self._read_for(batch, swapped), None)
            rows = max(1, LOGITS // self._frozen[0].config.vocab_size)
            return torch.cat([self._frozen[0].logits(slab).argmax(-1) for slab in hidden.split(rows)])

    def _autocast(self, batch: PackedBatch) -> AbstractContextManager[None]:
        device = batch.input_ids.device.type
        return torch.autocast(device, dtype=torch.bfloat16) if self._precision == "autocast" else nullcontext()

    def _read_for(self, batch: PackedBatch, swapped: bool) -> Adapters:
        """The adapter that each chunk's questions are asked with: its own, or that of the chunk before."""
        chunks = self.read(batch)
        return {name: (a.roll(1, 0), b.roll(1, 0)) for name, (a, b) in chunks.items()} if swapped else chunks

    def read(self, batch: PackedBatch) -> Adapters:
        """The adapter of every chunk of a batch: module -> (A (S, L, r, d_in), B (S, L, r, d_out))."""
        row, features = self.features(batch)
        config, distinct = self.hypernet.config, None
        if config.read_layers.start == 0:  # what the first block reads is the embedding: a token is always the same
            distinct = batch.distinct if config.reads_template else batch.own_distinct
        return self.hypernet.packed(list(features), row, distinct)

    def features(self, batch: PackedBatch) -> tuple[Ragged, Iterator[Tensor]]:
        """What the Perceiver reads of a batch: the chunks, and per adapted layer their tokens, (C, feature_size)."""
        config = self.hypernet.config
        normed = config.exit_layer is not None
        ids, encoder, layers = batch.context_ids[0], self._frozen[1], config.read_layers
        if config.reads_template:
            return batch.chunks, packed_features(encoder, ids, batch.chunks, layers, normed, config.recorded)
        read = batch.own_read
        ids = ids.index_select(0, read.kept)
        features = packed_features(encoder, ids, read.row, layers, normed, config.recorded)
        return batch.own_chunks, (feature.index_select(0, batch.own_tokens) for feature in features)

    def _token_losses(self, hidden: Tensor, batch: PackedBatch) -> Tensor:
        """Of each answer token, (N,); where the logits of all would be large, in slabs that are made twice."""
        base = self._frozen[0]

        def losses(hidden: Tensor, ids: Tensor, log_probabilities: Tensor, targets: Tensor) -> Tensor:
            logits = base.logits(hidden)
            if self._loss == "cross_entropy":
                return cross_entropies(logits, targets)
            return token_losses(logits, ids, log_probabilities)

        said = (batch.teacher_ids, batch.teacher_log_probabilities, batch.targets)
        parts = (hidden, *said)
        rows = max(1, LOGITS // base.config.vocab_size)
        if len(batch.predicts) <= rows:
            return losses(*parts)
        slabs = zip(*(part.split(rows) for part in parts), strict=True)
        return torch.cat([recomputed(losses, *slab) for slab in slabs])

    def _student(self, batch: PackedBatch, chunks: Adapters, noise: torch.Generator | None) -> Tensor:
        """What the head reads where an answer's token is predicted, (N, hidden)."""
        base = self._frozen[0]
        row, groups, predicts = batch.inputs, batch.groups, batch.predicts
        x = self._unadapted(batch, noise)
        if not self._noisy(noise) and base.shares(batch.shared.row):
            row, groups, predicts = batch.shared.row, batch.shared.groups, batch.shared.predicts
            x = x.index_select(0, batch.shared.kept)
        buckets, bias = map(by_layer, groups.compose(chunks)), by_layer(self.hypernet.bias())
        pairs = list(zip(*buckets, strict=True))  # of each layer
        layout = base.layout(x, row)

        def block(index: int, layer: nn.Module, x: Tensor) -> Tensor:
            kept = kept_after(layer)
            with self._injected.adapted_layer(index, pairs[index], bias[index], groups, kept is not None):
                return base.block(layer, x, layout, kept)

        def kept_after(layer: nn.Module) -> Tensor | None:
            return predicts if layer is base.layers[-1] else None

        adapted = self.hypernet.config.layers
        for index, layer in enumerate(base.layers[adapted.start :], adapted.start):
            if index not in adapted:
                x = base.block(layer, x, layout, kept_after(layer))
            elif self.recompute:
                x = recomputed(block, index - adapted.start, layer, x)
            else:
                x = block(index - adapted.start, layer, x)
        return base.norm(x)

    def _noisy(self, noise: torch.Generator | None) -> bool:
        """Whether each input has noise of its own, so that none share tokens."""
        return noise is not None and self._neftune > 0

    @torch.no_grad()
    def _unadapted(self, batch: PackedBatch, noise: torch.Generator | None) -> Tensor:
        """What the first adapted block reads of the inputs, (T, hidden)."""
        base, ids, first = self._frozen[0], batch.input_ids[0], self.hypernet.config.first_layer
        folded = None if self._noisy(noise) or not first else batch.folded_inputs
        x = base.embed(ids if folded is None else ids.index_select(0, folded.kept))
        if noise is not None and self._noisy(noise):
            x = x + neftune_noise(x, self._neftune, noise)
        layout = base.layout(x, batch.inputs if folded is None else folded.row)
        for layer in base.layers[:first]:
            x = base.block(layer, x, layout)
        return x if folded is None else x.index_select(0, folded.spread)


def neftune_noise(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Uniform noise of NEFTune, +-strength / sqrt(T * hidden).

    T is the length of the packed row: so does the hook of transformers' Trainer that the reference uses.
    """
    bound = strength / (x.shape[-2] * x.shape[-1]) ** 0.5
    return torch.empty_like(x).uniform_(-bound, bound, generator=generator)
