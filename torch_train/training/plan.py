"""Which inputs of which rows make each batch of an epoch: from the rows' lengths alone, in arrays.

3.2 million rows are planned in well under a minute (benchmarks/planning.py); a loop over rows took 19 minutes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from torch_train.training.lengths import Lengths

WINDOW = 4096  # units that are packed among themselves: enough to fill batches, few enough to stay shuffled


@dataclass(frozen=True)
class Unit:
    """What is packed as a whole: a context and some of its inputs; `tokens` counts (context, inputs)."""

    row: int
    inputs: tuple[int, ...]
    tokens: tuple[int, int]


@dataclass(frozen=True)
class Units(Sequence[Unit]):
    """Many units, as columns.

    Attributes:
        rows: Row of each, (U,).
        tokens: Tokens of context and inputs, (U, 2).
        inputs: Numbers of the inputs within their rows, those of one unit after the other.
        first: Where each unit's inputs begin, and the end of the last, (U + 1,).
    """

    rows: np.ndarray
    tokens: np.ndarray
    inputs: np.ndarray
    first: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Unit: ...
    @overload
    def __getitem__(self, index: slice) -> list[Unit]: ...
    def __getitem__(self, index: int | slice) -> Unit | list[Unit]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        inputs = self.inputs[self.first[index] : self.first[index + 1]]
        context, asked = self.tokens[index].tolist()
        return Unit(int(self.rows[index]), tuple(inputs.tolist()), (context, asked))

    @property
    def sizes(self) -> np.ndarray:
        """Number of inputs of each, (U,)."""
        return np.diff(self.first)

    def taken(self, order: np.ndarray) -> Units:
        """The units of these numbers."""
        sizes = self.sizes[order]
        first = np.concatenate([[0], sizes.cumsum()])
        places = np.arange(first[-1]) - np.repeat(first[:-1] - self.first[order], sizes)
        return Units(self.rows[order], self.tokens[order], self.inputs[places], first)


@dataclass(frozen=True)
class PackingPlan:
    """The batches of one epoch.

    Attributes:
        units: What is packed.
        members: Units of the batches, those of one after the other.
        first: Where each batch begins, and the end of the last, (B + 1,).
        budget: Tokens of contexts and of inputs that a batch has room for.
        dropped: Contexts, and single inputs, that are longer than their budget.
    """

    units: Units
    members: np.ndarray
    first: np.ndarray
    budget: tuple[int, int]
    dropped: tuple[int, int]

    def __len__(self) -> int:
        return len(self.first) - 1

    def batch(self, index: int) -> list[Unit]:
        """The units of one batch."""
        return [self.units[unit] for unit in self.members[self.first[index] : self.first[index + 1]].tolist()]

    @property
    def batches(self) -> Iterator[list[Unit]]:
        """The units of each batch."""
        return (self.batch(index) for index in range(len(self)))

    @property
    def utilisation(self) -> tuple[float, float]:
        """Share of both budgets that holds tokens."""
        used = self.units.tokens[self.members].sum(0)
        context, inputs = used / np.array(self.budget) / len(self)
        return float(context), float(inputs)

    def __str__(self) -> str:
        context, inputs = self.utilisation
        told = f"{len(self):,} batches, contexts fill {context:.1%} of {self.budget[0]:,} tokens, "
        told += f"inputs {inputs:.1%} of {self.budget[1]:,}"
        if any(self.dropped):
            told += f"; dropped as too long: {self.dropped[0]:,} contexts, {self.dropped[1]:,} inputs"
        return told


def units_of(
    lengths: Lengths,
    contexts: np.ndarray,
    budget: tuple[int, int],
    longest: int,
    most: int | None,
    draw: Callable[[str], random.Random],
) -> tuple[Units, tuple[int, int]]:
    """Contexts with their inputs; those of a context that does not fit with all of them are shared out.

    Args:
        lengths: Of the rows.
        contexts: Tokens of each row's chunks, template included, (N,).
        budget: Tokens of contexts and of inputs that a batch has room for.
        longest: Tokens of the longest input.
        most: Inputs of a unit at most; None for any number.
        draw: From a row's id: who shares out its inputs.

    Returns:
        (units in the order of the rows, dropped (contexts, inputs)).
    """
    counts = np.diff(lengths.first)
    fits = contexts <= budget[0]
    row_of = np.repeat(np.arange(len(counts)), counts)
    asked = fits[row_of]
    kept = asked & (lengths.inputs <= longest)
    dropped = (int((~fits).sum()), int(asked.sum() - kept.sum()))
    row_of, numbers = row_of[kept], (np.arange(len(kept)) - lengths.first[row_of])[kept]
    sizes = lengths.inputs[kept]
    per_row, tokens = (np.bincount(row_of, minlength=len(counts), weights=w).astype(np.int64) for w in (None, sizes))
    if most == 1:
        first = np.arange(len(row_of) + 1)
        return Units(row_of, np.stack([contexts[row_of], sizes], 1), numbers, first), dropped
    shared = (tokens > budget[1]) | (per_row > (most or per_row.max(initial=0)))
    whole = np.flatnonzero((per_row > 0) & ~shared)
    alone = ~shared[row_of]
    first = np.concatenate([[0], per_row[whole].cumsum()])
    units = Units(whole, np.stack([contexts[whole], tokens[whole]], 1), numbers[alone], first)
    if shared.any():
        starts = np.concatenate([[0], per_row.cumsum()])
        parts = [units]
        for row in np.flatnonzero(shared).tolist():
            inside = slice(int(starts[row]), int(starts[row + 1]))
            of = dict(zip(numbers[inside].tolist(), sizes[inside].tolist(), strict=True))
            parts += [
                Units(*map(np.array, ([row], [[contexts[row], sum(of[i] for i in some)]], some, [0, len(some)])))
                for some in _share_out(of, budget[1], most, draw(lengths.ids[row].as_py()))
            ]
        units = _joined(parts)
        units = units.taken(np.argsort(units.rows, kind="stable"))
    return units, dropped


def _share_out(lengths: dict[int, int], budget: int, most: int | None, draw: random.Random) -> list[list[int]]:
    """Inputs of one context, by number and length, in groups that fit the budget, as few as easily found."""
    inputs = list(lengths)
    draw.shuffle(inputs)  # other companions in every epoch
    groups: list[list[int]] = [[]]
    room = budget
    for i in inputs:
        if lengths[i] > room or len(groups[-1]) == (most or len(inputs)):
            groups.append([])
            room = budget
        groups[-1].append(i)
        room -= lengths[i]
    return groups


def _joined(parts: Sequence[Units]) -> Units:
    sizes = np.concatenate([part.sizes for part in parts])
    return Units(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.tokens for part in parts]),
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([[0], sizes.cumsum()]),
    )


def filled(
    units: Units, order: list[int], budget: tuple[int, int], draw: random.Random
) -> tuple[np.ndarray, np.ndarray]:
    """Batches of the units in this order, themselves in random order: (members, first), as in `PackingPlan`."""
    sizes = units.tokens / np.array(budget)
    batches: list[list[int]] = []
    for start in range(0, len(order), WINDOW):
        some = np.array(order[start : start + WINDOW])
        batches += _fill(some, sizes[some, 0].copy(), sizes[some, 1].copy())
    draw.shuffle(batches)
    first = np.concatenate([[0], np.cumsum([len(batch) for batch in batches])])
    return np.concatenate([np.array(batch) for batch in batches]), first


def _fill(numbers: np.ndarray, contexts: np.ndarray, inputs: np.ndarray) -> list[list[int]]:
    """Fill one batch after the other, each time with what fits and points most into the room that is left.

    The dot-product heuristic for packing in two dimensions (Panigrahy et al. 2011, Heuristics for vector bin packing):
    where contexts fill up first, what follows has a short context and many questions.

    Args:
        numbers: Of the units, (n,).
        contexts: Share of the budget that each one's context takes, (n,); used up.
        inputs: The same for its inputs.
    """
    batches: list[list[int]] = []
    while len(numbers):
        score, other, above, beside = (np.empty(len(numbers), dtype) for dtype in (float, float, bool, bool))
        room = [1 + 1e-9, 1 + 1e-9]  # a unit may be exactly as long as a budget
        batch: list[int] = []
        while True:
            np.multiply(contexts, room[0], out=score)
            np.multiply(inputs, room[1], out=other)
            np.add(score, other, out=score)
            np.greater(contexts, room[0], out=above)
            np.greater(inputs, room[1], out=beside)
            np.logical_or(above, beside, out=above)
            np.copyto(score, -1.0, where=above)
            best = int(score.argmax())
            if score[best] < 0:
                break
            batch.append(int(numbers[best]))
            room = [room[0] - contexts[best], room[1] - inputs[best]]
            contexts[best] = inputs[best] = 2.0  # fits nowhere
        left = contexts < 2
        numbers, contexts, inputs = numbers[left], contexts[left], inputs[left]
        batches.append(batch)
    return batches
