"""The endless order of batches: which process takes which, and where a run resumes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import torch

from torch_train.training.packing import PackedBatch, Packer
from torch_train.training.plan import PackingPlan, Unit


@dataclass(frozen=True)
class Ticket:
    """A batch that is still to be packed: its place in the order, and what goes into it."""

    epoch: int
    index: int
    units: Sequence[Unit]

    def weight(self, by: Literal["context", "question"]) -> int:
        """What the sums of its losses are divided by: its contexts, or its questions."""
        return len(self.units) if by == "context" else sum(len(unit.inputs) for unit in self.units)

    def __str__(self) -> str:
        return f"batch {self.index} of epoch {self.epoch}"


class Stream:
    """Batches of one epoch after the other, the same whatever the number of processes.

    Every process knows the whole order, so the contexts of a step are counted without asking the others.

    Args:
        packer: Of the training rows.
        seed: Of the noise.
        epoch, index: Where to resume.
    """

    def __init__(self, packer: Packer, seed: int, epoch: int = 0, index: int = 0) -> None:
        self._packer, self._seed = packer, seed
        self.epoch, self.index = epoch, index
        self.plan: PackingPlan = packer.plan(epoch)

    def take(self, count: int) -> list[Ticket]:
        """The next `count` batches, across the end of an epoch if need be."""
        tickets = []
        for _ in range(count):
            if self.index == len(self.plan):
                self.epoch, self.index = self.epoch + 1, 0
                self.plan = self._packer.plan(self.epoch)
            tickets.append(Ticket(self.epoch, self.index, self.plan.batch(self.index)))
            self.index += 1
        return tickets

    def pack(self, ticket: Ticket) -> PackedBatch:
        """The batch itself."""
        return self._packer.pack(ticket.units, ticket.epoch)

    def noise(self, ticket: Ticket, device: torch.device) -> torch.Generator:
        """The generator of a batch's noise: from its place in the order, so that there is no state to save."""
        seed = hash((self._seed, ticket.epoch, ticket.index)) % 2**63  # of integers alone: the same in every process
        return torch.Generator(device).manual_seed(seed)

    def state(self) -> dict[str, int]:
        """The position in the stream."""
        return {"epoch": self.epoch, "index": self.index}


@dataclass(frozen=True)
class Step:
    """The batches of one step.

    Attributes:
        tickets: Of all processes.
        own: Of this process, each with its batch.
        before: Position in the stream before the step.
        after: Position after it.
    """

    tickets: list[Ticket]
    own: list[tuple[Ticket, PackedBatch]]
    before: dict[str, int]
    after: dict[str, int]


class Ahead:
    """Packs the batches of the next step in a thread, while the device computes this one.

    Args:
        stream: Where they come from; no other thread may take from it meanwhile.
        count: Batches of a step, of all processes.
        rank: Of this process.
        processes: How many there are.
        pin: Pack into memory that a GPU copies from by itself.
    """

    def __init__(self, stream: Stream, count: int, rank: int, processes: int, pin: bool) -> None:
        self._stream, self._count, self._rank, self._processes, self._pin = stream, count, rank, processes, pin
        self._thread = ThreadPoolExecutor(1, "packing")
        self._next: Future[Step] | None = None

    def step(self) -> Step:
        """The next step; the one after it is begun."""
        current = self._next or self._thread.submit(self._packed)
        self._next = self._thread.submit(self._packed)
        return current.result()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _packed(self) -> Step:
        before = self._stream.state()
        tickets = self._stream.take(self._count)
        after = self._stream.state()
        batches = [(ticket, self._stream.pack(ticket)) for ticket in tickets[self._rank :: self._processes]]
        if self._pin:
            batches = [(ticket, batch.pinned()) for ticket, batch in batches]
        return Step(tickets, batches, before, after)
