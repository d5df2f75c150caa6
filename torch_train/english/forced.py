"""`python -m torch_train.english.forced CHECKPOINT FILE`: exact answers on unseen notes, without generating any.

A greedy answer is right from its first to its last token exactly where the most probable token is right at every
place, given the right ones before it. So one pass over packed notes scores what generating would take minutes for.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mlx_hypernet.format.atomic import write_json
from torch_train.english.notes import English
from torch_train.english.teacher import Asked, rows
from torch_train.errors import TrainingError
from torch_train.model.base import load_base
from torch_train.model.loss import first_tokens, group_mean
from torch_train.model.tokenizer import load_tokenizer
from torch_train.training import checkpoint
from torch_train.training.distillation import DistillationModel
from torch_train.training.packing import PackedBatch, Packer
from torch_train.training.settings import PackingSettings
from torch_train.training.train import make_chunking

SEED = "forced"
_QUESTIONS_PER_NOTE = 4


@dataclass(frozen=True)
class Set:
    """Notes of one kind.

    Attributes:
        name: Name of the row.
        facts: Facts of each note.
        known: Whether the questions are those that the notes answer, or those that they do not.
    """

    name: str
    facts: int
    known: bool = True


SETS = (
    Set("1 fact", 1),
    Set("4 facts", 4),
    Set("8 facts", 8),
    Set("12 facts", 12),
    Set("refusals, 4 facts", 4, known=False),
)


def notes(of: Set, questions: int) -> list[Asked]:
    """Notes of the test split, with so many questions or a few more."""
    stream = English(f"{SEED}-{of.name}", "test")
    drawn: list[Asked] = []
    asked = 0
    while asked < questions:
        note = stream.note(of.facts, silent=0 if of.known else 1, strangers=0 if of.known else 1)
        chosen = [question for question in note.questions if question.known == of.known][:_QUESTIONS_PER_NOTE]
        drawn.append(Asked(note.text, tuple((q.text, q.answer, q.known) for q in chosen), of.name))
        asked += len(chosen)
    return drawn


def score(model: DistillationModel, batches: Sequence[PackedBatch], device: torch.device) -> dict[str, float]:
    """Shares of answers that are right as a whole and in their first token, with the own adapter and another note's."""
    sums = dict.fromkeys(("exact", "first token", "exact, another's adapter", "first token, another's adapter"), 0.0)
    answers = 0
    for packed in batches:
        batch = packed.to(device)
        count = len(batch.input_contexts)
        for swapped, suffix in ((False, ""), (True, ", another's adapter")):
            right = model.predictions(batch, swapped=swapped) == batch.targets
            sums[f"exact{suffix}"] += float(_whole(right, batch.answers, count).sum())
            sums[f"first token{suffix}"] += float(right[first_tokens(batch.answers)].sum())
        answers += count
    return {"questions": answers, **{name: total / max(1, answers) for name, total in sums.items()}}


def _whole(right: Tensor, answers: Tensor, count: int) -> Tensor:
    """Which answers have no wrong token, (answers,)."""
    right = right.float()
    return group_mean(right, torch.ones_like(right), answers, count)[0] == 1


def measure(
    folder: Path, base: Path, device: torch.device, questions: int, tokens: int, deadline: float = math.inf
) -> dict[str, Any]:
    """Score a checkpoint on all sets.

    Args:
        folder: The checkpoint.
        base: Folder of its base.
        device: Where it runs.
        questions: Of each set.
        tokens: Of a batch.
        deadline: By `time.monotonic`; no set is begun after it.
    """
    began = time.monotonic()
    tokenizer = load_tokenizer(base)
    record = checkpoint.load_base_record(folder)
    frozen = load_base(base, "auto", device)
    hypernet = checkpoint.load_hypernet(folder).to(device).eval()
    chunking = make_chunking(PackingSettings(max_chunk_tokens=record.max_chunk_tokens), tokenizer)
    model = DistillationModel(hypernet, frozen, frozen, recompute=False)
    results = {}
    for one in SETS:
        if time.monotonic() > deadline:
            print(f"no time for {one.name} and what follows", flush=True)
            break
        packer = Packer(rows(tokenizer, notes(one, questions)), tokens, tokens, chunking, 0)
        results[one.name] = score(model, list(packer.batches(0)), device)
        print(f"{one.name}: {results[one.name]['exact']:.1%} exact", flush=True)
    return {
        "checkpoint": folder.name,
        "device": str(device),
        "dtype": str(frozen.decoder.norm.weight.dtype).removeprefix("torch."),
        "seconds": round(time.monotonic() - began, 1),
        "sets": results,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torch_train.english.forced", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="training checkpoint")
    parser.add_argument("file", type=Path, help="JSON to write")
    parser.add_argument("--base", type=Path, required=True, help="folder of its base")
    parser.add_argument("--questions", type=int, default=1000, help="questions of each set (%(default)s)")
    parser.add_argument("--tokens", type=int, default=16_384, help="tokens of a batch (%(default)s)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")
    options = parser.parse_args(arguments)
    try:
        device = torch.device(options.device)
        measured = measure(options.checkpoint, options.base, device, options.questions, options.tokens)
        write_json(options.file, measured)
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
