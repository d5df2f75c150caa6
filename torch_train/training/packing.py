"""Contexts and questions packed into sequences of a fixed token budget, no padding, no attention across samples.

A batch is two sequences: the chunks of some contexts for the encoder, and the inputs (question and answer) about these
contexts for the student. Which goes where follows from seed and epoch alone, so that a run resumes at any batch.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import torch
from torch import Tensor

from torch_train.errors import DataError
from torch_train.model.chunking import Chunking
from torch_train.model.encoder import own_span
from torch_train.model.folded import Folded
from torch_train.model.lora import Groups
from torch_train.model.moving import Distinct, moved, pinned
from torch_train.model.ragged import Ragged
from torch_train.teacher.teacher_rows import TeacherRow
from torch_train.training.lengths import Lengths, keys, uniform
from torch_train.training.plan import PackingPlan, Unit, filled, units_of
from torch_train.training.plan_cache import PlanCache
from torch_train.training.weighting import repeated


@dataclass(frozen=True)
class PackedBatch:
    """One batch: S chunks of K contexts in C tokens, M inputs in T tokens, N answer tokens.

    Attributes:
        context_ids: chunks one after the other, (1, C).
        chunks: the chunks of these tokens.
        own_read: the chunks up to the last token that is the document's own, and not the chat template's.
        own_tokens: which tokens of that row are the documents' own, (O,).
        own_chunks: the chunks of these alone.
        chunk_contexts: context of each chunk, 0..K-1 without gaps, in order, (S,).
        context_groups: contexts with the same number are absorbed together: their inputs see the adapters of all, (K,).
        groups: the inputs' tokens and the chunks of each group.
        input_ids: inputs one after the other: question and answer, without the answer's last token, (1, T).
        inputs: the inputs of these tokens.
        folded_inputs: the same with what all of them begin with once.
        input_contexts: context of each input, (M,); with one answer to an input, this is `contexts` of the loss.
        predicts: positions in T whose next token is an answer's, (N,).
        targets: these next tokens, (N,).
        answers: answer, hence input, of each of them, (N,).
        teacher_ids: the teacher's top tokens there, (N, 16) int32.
        teacher_log_probabilities: their log-probabilities, (N, 16) fp16.
        relevant: whether each input is about its context, (M,) bool.
        shared: the inputs with what those of a group begin with once.
        distinct: which tokens of the chunks are the same.
        own_distinct: the same of the documents' own tokens.
    """

    context_ids: Tensor
    chunks: Ragged
    own_read: Folded
    own_tokens: Tensor
    own_chunks: Ragged
    chunk_contexts: Tensor
    context_groups: Tensor
    groups: Groups
    input_ids: Tensor
    inputs: Ragged
    folded_inputs: Folded
    input_contexts: Tensor
    predicts: Tensor
    targets: Tensor
    answers: Tensor
    teacher_ids: Tensor
    teacher_log_probabilities: Tensor
    relevant: Tensor
    shared: Shared
    distinct: Distinct
    own_distinct: Distinct

    def to(self, device: torch.device | str) -> PackedBatch:
        """The same batch on another device."""
        return PackedBatch(*(moved(getattr(self, part.name), device) for part in fields(self)))

    def pinned(self) -> PackedBatch:
        """The same batch in memory that a GPU copies from by itself."""
        return pinned(self)


@dataclass(frozen=True)
class Shared:
    """Inputs of one group are asked with one adapter: what all of them begin with lies in the row once.

    Attributes:
        row: The inputs, folded to F tokens.
        kept: Which token of the whole row each of these is, (F,).
        groups: Their tokens and the chunks of each group.
        predicts: Which of them predict an answer's token, (N,); none of these is shared.
    """

    row: Ragged
    kept: Tensor
    groups: Groups
    predicts: Tensor

    def to(self, device: torch.device | str) -> Shared:
        """The same on another device."""
        return Shared(*(moved(getattr(self, part.name), device) for part in fields(self)))


class Packer:
    """Packs teacher rows.

    Args:
        rows: What the teacher said.
        context_tokens: Budget of a batch for chunks, template ids included.
        input_tokens: Budget of a batch for inputs. A context with more is packed several times, its inputs shared out.
        chunking: How documents are cut.
        seed: Of order, cuts and packing.
        compose: Probability that a context is absorbed together with the one before it in its batch, as a library of
            several documents is.
        max_questions: Inputs that are packed with a context at most; a context with more is packed several times.
        max_input_tokens: Longest input, None for the whole budget; longer ones are dropped, and counted.
        sizes: Number of rows of each data set, as they lie one after the other in `rows`.
        floor: Least share of a data set in an epoch; see `weighting.repeated`.
        cache: Where plans are kept; None makes each again.
    """

    def __init__(
        self,
        rows: Sequence[TeacherRow],
        context_tokens: int,
        input_tokens: int,
        chunking: Chunking,
        seed: int,
        compose: float = 0.0,
        max_questions: int | None = None,
        max_input_tokens: int | None = None,
        sizes: Sequence[int] = (),
        floor: float = 0.0,
        cache: PlanCache | None = None,
    ) -> None:
        self._rows, self._chunking, self._seed, self._compose = rows, chunking, seed, compose
        self._budget = (context_tokens, input_tokens)
        self._most = max_questions
        self._longest = min(input_tokens, max_input_tokens or input_tokens)
        self._sizes, self._floor, self._cache = sizes or (len(rows),), floor, cache

    def plan(self, epoch: int) -> PackingPlan:
        """All batches of one epoch.

        Raises:
            DataError: Nothing fits the budgets.
        """
        if not self._rows:
            raise DataError("there are no rows to pack: the teacher data has no answers")
        kept = None if self._cache is None else self._cache.read(epoch)
        if kept is not None:
            return kept
        lengths, chunking = Lengths.of(self._rows, self._chunking.prefix_ids, self._chunking.suffix_ids), self._chunking
        drawn = np.zeros(len(self._rows))
        if chunking.counts is not None:
            drawn = uniform(keys(lengths.ids.to_pylist()), self._seed, epoch)
        contexts = chunking.tokens(lengths.contexts, lengths.begins, lengths.ends, drawn)
        limits = (self._budget, self._longest, self._most)
        units, dropped = units_of(lengths, contexts, *limits, lambda name: self._draw(name, epoch, "inputs"))
        if not len(units):
            raise DataError(f"nothing fits {self._budget[0]} context and {self._budget[1]} input tokens: raise them")
        order = list(range(len(units)))
        if self._floor:
            order = repeated(units.rows.tolist(), self._sizes, self._floor, self._draw("repeated", epoch))
        draw = self._draw("order", epoch)
        draw.shuffle(order)
        plan = PackingPlan(units, *filled(units, order, self._budget, draw), self._budget, dropped)
        if self._cache is not None:
            self._cache.write(epoch, plan)
        return plan

    def batches(self, epoch: int, start: int = 0, plan: PackingPlan | None = None) -> Iterator[PackedBatch]:
        """The batches of one epoch from number `start` on; `plan` where it is known already."""
        plan = plan or self.plan(epoch)
        for index in range(start, len(plan)):
            yield self.pack(plan.batch(index), epoch)

    def pack(self, units: Sequence[Unit], epoch: int) -> PackedBatch:
        """One batch, of the units that a plan of this epoch put together."""
        chunks: list[Sequence[int]] = []
        chunk_contexts: list[int] = []
        inputs: list[np.ndarray] = []
        input_contexts: list[int] = []
        targets, predicts, top_ids, top_log_p, relevant = [], [], [], [], []
        position = 0
        for context, unit in enumerate(units):
            row = self._rows[unit.row]
            cut = self._chunks(row, epoch)
            chunks += cut
            chunk_contexts += [context] * len(cut)
            ends = np.cumsum([0, *map(len, row.answers)])
            for i in unit.inputs:
                question, answer = row.questions[i], row.answers[i]
                inputs.append(np.concatenate([question, answer[:-1]]))
                input_contexts.append(context)
                predicts.append(position + len(question) - 1 + np.arange(len(answer)))
                targets.append(answer)
                top_ids.append(row.top_ids[ends[i] : ends[i + 1]])
                top_log_p.append(row.top_log_probabilities[ends[i] : ends[i + 1]])
                relevant.append(bool(row.relevant[i]))
                position += len(inputs[-1])
        groups = self._groups(units, epoch)
        own = [own_span(len(chunk), self._chunking.affixes) for chunk in chunks]
        starts = np.cumsum([0, *map(len, chunks)])
        own_tokens = np.concatenate([start + np.array(span) for start, span in zip(starts, own, strict=False)])
        own_read = Folded.of(chunks, [span.stop for span in own])
        predicted = torch.from_numpy(np.concatenate(predicts))
        grouped = partial(group, groups, chunk_contexts, input_contexts, list(map(len, targets)))
        prompts = min(len(one) - len(target) for one, target in zip(inputs, targets, strict=True))  # before the first
        shared = Folded.of(inputs, groups=_numbered(groups)[input_contexts], most=prompts)
        context_ids = _row(chunks)
        return PackedBatch(
            context_ids,
            Ragged.of(list(map(len, chunks))),
            own_read,
            own_read.spread[torch.from_numpy(own_tokens)],
            Ragged.of(list(map(len, own))),
            torch.tensor(chunk_contexts),
            torch.from_numpy(groups),
            grouped(list(map(len, inputs))),
            _row(inputs),
            Ragged.of(list(map(len, inputs))),
            Folded.of(inputs),
            torch.tensor(input_contexts),
            predicted,
            torch.from_numpy(np.concatenate(targets)).long(),
            torch.repeat_interleave(torch.tensor([len(answer) for answer in targets])),
            torch.from_numpy(np.concatenate(top_ids)),
            torch.from_numpy(np.concatenate(top_log_p)),
            torch.tensor(relevant),
            Shared(
                shared.row, shared.kept, grouped(torch.bincount(shared.row.samples).tolist()), shared.spread[predicted]
            ),
            Distinct.of(context_ids[0]),
            Distinct.of(context_ids[0, torch.from_numpy(own_tokens)]),
        )

    def _draw(self, *of: object) -> random.Random:
        return random.Random("-".join(map(str, (self._seed, *of))))

    def _chunks(self, row: TeacherRow, epoch: int) -> list[list[int]]:
        drawn = 0.0 if self._chunking.counts is None else float(uniform(keys([row.id]), self._seed, epoch)[0])
        return self._chunking.chunks(row.context_ids.tolist(), drawn)

    def _groups(self, units: Sequence[Unit], epoch: int) -> np.ndarray:
        """Which contexts of a batch are absorbed together; none twice, which would double its weight."""
        draw = self._draw("groups", epoch, *(unit.row for unit in units))
        group, together, groups = 0, set[int](), []
        for unit in units:
            if draw.random() >= self._compose or unit.row in together:
                group, together = group + 1, set()
            together.add(unit.row)
            groups.append(group)
        return np.array(groups)


def group(
    context_groups: np.ndarray,
    chunk_contexts: Sequence[int],
    input_contexts: Sequence[int],
    answers: Sequence[int],
    lengths: Sequence[int],
) -> Groups:
    """The groups of a batch, by `context_groups` (K,) in ascending order.

    Args:
        context_groups: Group of each context.
        chunk_contexts: Context of each chunk.
        input_contexts: Context of each input.
        answers: Tokens of each input's answer.
        lengths: Tokens of each input.
    """
    numbers = _numbered(context_groups)
    tokens = (
        np.bincount(numbers[input_contexts], weights=of, minlength=numbers[-1] + 1).astype(np.int64).tolist()
        for of in (lengths, answers)
    )
    return Groups.of(np.bincount(numbers[chunk_contexts]).tolist(), *tokens)


def _numbered(groups: np.ndarray) -> np.ndarray:
    """The groups' numbers from 0 without gaps."""
    return np.unique(groups, return_inverse=True)[1]


def _row(samples: Sequence[Sequence[int] | np.ndarray]) -> Tensor:
    """Token ids of samples one after the other, (1, T)."""
    return torch.from_numpy(np.concatenate([np.asarray(sample, dtype=np.int64) for sample in samples]))[None]
