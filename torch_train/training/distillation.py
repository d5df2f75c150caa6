"""What is trained: contexts go through the frozen base into the hypernetwork, questions through the base it adapts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from torch_train.model.base import FrozenBase
from torch_train.model.encoder import own_tokens, packed_features
from torch_train.model.hypernet import HyperNetwork, recomputed
from torch_train.model.lora import Adapters, Groups, Injected, by_layer
from torch_train.model.loss import (
    answer_losses,
    context_losses,
    cross_entropies,
    first_tokens,
    magnitude,
    token_losses,
)
from torch_train.training.packing import PackedBatch


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
        affixes: Number of the chat template's tokens before and after every chunk.
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
        affixes: tuple[int, int] = (0, 0),
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
        self.recompute, self._affixes, self._neftune = recompute, affixes, neftune
        self._loss, self._weight, self._precision = loss, weight, precision

    def forward(self, batch: PackedBatch, noise: torch.Generator | None = None, *, swapped: bool = False) -> Losses:
        """The losses of one batch.

        Args:
            batch: The batch.
            noise: Draws NEFTune's noise; None for none.
            swapped: Every chunk's adapter is replaced by that of the chunk before. What the losses rise by is what
                flows from the documents through the adapters.
        """
        device = batch.input_ids.device.type
        with torch.autocast(device, dtype=torch.bfloat16) if self._precision == "autocast" else nullcontext():
            chunks = self.read(batch)
            if swapped:
                chunks = {name: (a.roll(1, 0), b.roll(1, 0)) for name, (a, b) in chunks.items()}
            hidden = self._student(batch, chunks, noise)
            logits = self._frozen[0].logits(hidden[0, batch.predicts])
        if self._loss == "distillation":
            per_token = token_losses(logits, batch.teacher_ids, batch.teacher_log_probabilities)
        else:
            per_token = cross_entropies(logits, batch.targets)
        first = first_tokens(batch.answers)
        return Losses(
            self._sum(per_token, batch.answers, batch.input_contexts),
            self._sum(per_token[first], batch.answers[first], batch.input_contexts),
            self._magnitude(batch, chunks),
        )

    def _sum(self, per_token: Tensor, answers: Tensor, contexts: Tensor) -> Tensor:
        if self._weight == "question":
            return answer_losses(per_token, answers, len(contexts)).sum()
        return context_losses(per_token, answers, contexts).sum()

    def _magnitude(self, batch: PackedBatch, chunks: Adapters) -> Tensor:
        groups = batch.context_groups
        per_context = torch.ones_like(groups, dtype=torch.float32)
        if self._weight == "question":
            asked = torch.ones_like(batch.input_contexts, dtype=torch.float32)
            per_context = torch.zeros_like(per_context).index_add(0, batch.input_contexts, asked)
        weights = per_context.new_zeros(len(groups) + 1).index_add(0, groups, per_context)  # they begin at 0 or 1
        return magnitude(chunks, self.hypernet.bias(), groups[batch.chunk_contexts], weights)

    def read(self, batch: PackedBatch) -> Adapters:
        """The adapter of every chunk of a batch: module -> (A (S, L, r, d_in), B (S, L, r, d_out))."""
        # Projected at once, layer by layer: 512 columns of each feature are kept rather than all hidden ones.
        samples, features = self.features(batch)
        projected = torch.stack(
            [self.hypernet.project(self.hypernet.standardise(feature, layer)) for layer, feature in enumerate(features)]
        )
        context, mask = pad_chunks(projected, samples, len(batch.chunk_contexts))
        layers = len(projected)
        latents = self.hypernet.read(context.flatten(0, 1), mask.repeat_interleave(layers, dim=0))
        return self.hypernet.generate(latents.unflatten(0, (-1, layers)))

    def features(self, batch: PackedBatch) -> tuple[Tensor, Iterator[Tensor]]:
        """What the Perceiver reads of a batch: the chunk of each token (C,), and per adapted layer (C, hidden)."""
        config, samples = self.hypernet.config, batch.context_samples
        features = packed_features(self._frozen[1], batch.context_ids, batch.context_positions, samples, config.layers)
        if config.reads_template:
            return samples[0], features
        own = own_tokens(batch.context_positions[0], samples[0], self._affixes)
        return samples[0, own], (feature[own] for feature in features)

    def _student(self, batch: PackedBatch, chunks: Adapters, noise: torch.Generator | None) -> Tensor:
        base = self._frozen[0]
        pairs, biases = by_layer(chunks, 1), by_layer(self.hypernet.bias(), 0)
        asked = batch.input_contexts[batch.input_samples[0]]
        groups = Groups.of(batch.context_groups[asked], batch.context_groups[batch.chunk_contexts])
        with torch.no_grad():
            x = base.embed(batch.input_ids)
            layout = base.layout(x, batch.input_positions, batch.input_samples)
            if noise is not None and self._neftune:
                x = x + neftune_noise(x, self._neftune, noise)

        def block(index: int, layer: nn.Module, x: Tensor) -> Tensor:
            with self._injected.adapted_layer(index, pairs[index], biases[index], groups):
                return base.block(layer, x, layout)

        adapted = self.hypernet.config.layers
        for index, layer in enumerate(base.layers):
            if index not in adapted:  # before the first of these nothing has a gradient
                x = base.block(layer, x, layout)
            elif self.recompute:
                x = recomputed(block, index - adapted.start, layer, x)
            else:
                x = block(index - adapted.start, layer, x)
        return base.norm(x)


def pad_chunks(projected: Tensor, samples: Tensor, chunks: int) -> tuple[Tensor, Tensor]:
    """From packed to padded: the Perceiver reads every chunk by itself.

    Args:
        projected: (L, C, D), the chunks of a batch one after the other.
        samples: Chunk of each token, (C,).
        chunks: Their number, S.

    Returns:
        ((S, L, longest, D), mask (S, longest) with True for real tokens).
    """
    lengths = torch.bincount(samples, minlength=chunks)
    columns = torch.arange(int(lengths.max()), device=samples.device)
    mask = columns[None] < lengths[:, None]
    source = (lengths.cumsum(0) - lengths)[:, None] + columns[None]
    return projected[:, source.where(mask, source.new_zeros(()))].transpose(0, 1), mask


def neftune_noise(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Uniform noise of NEFTune, +-strength / sqrt(T * hidden).

    T is the length of the packed row: so does the hook of transformers' Trainer that the reference uses.
    """
    bound = strength / (x.shape[1] * x.shape[2]) ** 0.5
    return torch.empty_like(x).uniform_(-bound, bound, generator=generator)
