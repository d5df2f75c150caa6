"""Nano's hypernetwork: learns to put into weights what the base would read in its context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import Ministral3ForCausalLM

from torch_train import checkpoint
from torch_train.checkpoint import BaseRecord
from torch_train.config import HypernetConfig
from torch_train.encoder import layer_features
from torch_train.hypernet import HyperNetwork
from torch_train.lora import Injected, compose
from torch_train.loss import distillation_loss
from torch_train.nano import pool
from torch_train.nano.base import answer_logits, decision_loss, exact
from torch_train.nano.curriculum import Curriculum
from torch_train.nano.rows import Item, Rows, closed_rows, document_rows, open_rows, recall_rows
from torch_train.nano.run import Run, Settings, optimizer, schedule
from torch_train.nano.tokenizer import BOS, END_INST, INST, line_break
from torch_train.teacher import top_log_probabilities

CHUNK = pool.MAX_DOCUMENT + 3  # tokens, template included
# Of the note's own tokens, predicted from its weights: so dense a signal that the long plateau ends within 150 steps
# (docs/LOG.md); divided by the level, since the aim is to answer, not to recite.
RECALL_WEIGHT = 0.5
COMPOSE_FROM = 4  # level of the curriculum from which one step in eight gives each sample two notes


def config(model: Ministral3ForCausalLM) -> HypernetConfig:
    """The hypernetwork's shape; the scale follows the reference, 2 r^1.5."""
    base = model.config
    rank = 8
    return HypernetConfig(
        num_layers=base.num_hidden_layers,
        hidden_size=base.hidden_size,
        modules={"down_proj": (base.intermediate_size, base.hidden_size)},
        rank=rank,
        scale=2 * rank**1.5,
        latent_size=128,
        num_latents=8,
        num_blocks=4,
        num_heads=8,
        num_kv_heads=4,
        head_dim=32,
    )


def _merge(items: list[Item], per_sample: int) -> list[Item]:
    """Join the questions of neighbouring notes: what is asked of a sample that has absorbed all of them."""
    groups = [items[start : start + per_sample] for start in range(0, len(items), per_sample)]
    return [Item([], [turn for item in group for turn in item.turns]) for group in groups]


def is_matrix(name: str, parameter: torch.nn.Parameter) -> bool:
    """Which parameters Muon takes."""
    return name.endswith("proj.weight") or (name.startswith("pre_head") and parameter.ndim == 3)


def load(folder: Path) -> HyperNetwork:
    """A hypernetwork that was saved as a training checkpoint or as a bundle: both name tensors alike."""
    config, weights = checkpoint.load_weights(folder)
    hypernet = HyperNetwork(config)
    hypernet.load_state_dict(weights)
    return hypernet


def train(folder: Path, words: Tokenizer, base: Ministral3ForCausalLM, settings: Settings) -> HyperNetwork:
    """Train the hypernetwork against the frozen base; resumes where a killed run stopped.

    Args:
        folder: Of this stage: its state and log, and `hypernet/`, a training checkpoint, when it is done.
        words: Nano's tokenizer.
        base: The trained base; its weights stay as they are.
        settings: Steps, batch size, learning rate, seed, device.
    """
    torch.manual_seed(settings.seed)
    device = torch.device(settings.device)
    base = base.to(device).eval().requires_grad_(False)
    hypernet = HyperNetwork(config(base)).to(device)
    adapters = Injected(base.model.layers, tuple(hypernet.config.modules), hypernet.config.scale)
    curriculum = Curriculum(first=1, last=12, accuracy=0.70, until=settings.falls_from)
    run = Run(folder, hypernet, optimizer(hypernet, is_matrix), curriculum)
    batches = pool.Pool(words, settings.seed + 1, settings.batch)
    for step in run.steps(settings.steps):
        schedule(run.optimizer, settings, step)
        items = list(batches.batch(step, curriculum.level))
        with torch.no_grad():
            teacher = read_notes(base, items, words)
        student = absorb_notes(base, adapters, hypernet, items, teacher, notes_per_sample(step, curriculum.level))
        run.descend(student.loss + RECALL_WEIGHT / curriculum.level * student.recall)
        run.record(step, **progress(teacher, student))
    adapters.remove()
    save(folder / "hypernet", hypernet, base, settings.steps)
    return hypernet


@dataclass(frozen=True)
class Teacher:
    """What the base makes of the notes in its context: rows, logits at the answers (N, vocabulary), right answers."""

    rows: Rows
    logits: torch.Tensor
    right: torch.Tensor

    def top(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What the student imitates: the top tokens at the answers and their log-probabilities, (N, top) each."""
        ids, log_probabilities = top_log_probabilities(self.logits.detach())
        return corrected(ids, log_probabilities, self.right[self.rows.answers], self.rows.targets)


@dataclass(frozen=True)
class Student:
    """What it makes of them absorbed: rows, losses, right answers."""

    rows: Rows
    loss: torch.Tensor
    recall: torch.Tensor
    right: torch.Tensor


def read_notes(base: Ministral3ForCausalLM, items: Sequence[Item], words: Tokenizer) -> Teacher:
    """Answer every question with its note in context."""
    rows = open_rows(items, line_break(words)).to(base.device)
    logits = answer_logits(base, rows)
    return Teacher(rows, logits, exact(logits.argmax(-1), rows))


def notes_per_sample(step: int, level: int) -> int:
    """One step in eight gives each sample the adapters of two notes, once single notes are known well enough."""
    return 2 if level >= COMPOSE_FROM and step % 8 == 7 else 1


def absorb_notes(
    base: Ministral3ForCausalLM,
    adapters: Injected,
    hypernet: HyperNetwork,
    items: list[Item],
    teacher: Teacher,
    per_sample: int,
) -> Student:
    """Answer every question from the weights that its note, or `per_sample` neighbouring notes, became."""
    device = base.device
    ids, log_probabilities = teacher.top()
    asked = closed_rows(_merge(items, per_sample)).to(device)
    document, mask = (tensor.to(device) for tensor in document_rows(items))
    generated = compose(hypernet(layer_features(base, document, mask), mask), hypernet.bias(), per_sample)
    contexts = torch.tensor([row for row, item in enumerate(items) for _ in item.turns], device=device)
    with adapters.adapted(generated):
        logits = answer_logits(base, asked)
        loss = distillation_loss(logits, ids, log_probabilities, asked.answers, contexts) + decision_loss(logits, asked)
        # Two notes in one adapter cannot both be recalled from the same beginning.
        recall = _recall_loss(base, recall_rows(items).to(device)) if per_sample == 1 else torch.zeros_like(loss)
    return Student(asked, loss, recall, exact(logits.argmax(-1), asked))


def progress(teacher: Teacher, student: Student) -> dict[str, float]:
    """The numbers of one step for the log; `progress` drives the curriculum."""
    known = student.rows.known
    return {
        "progress": student.right.float().mean().item(),
        "loss": student.loss.item(),
        "recall": student.recall.item(),
        "exact": student.right[known].float().mean().item(),
        "unknown": student.right[~known].float().mean().item(),
        "teacher": teacher.right[known].float().mean().item(),
        "teacher unknown": teacher.right[~known].float().mean().item(),
    }


def _recall_loss(base: Ministral3ForCausalLM, notes: Rows) -> torch.Tensor:
    """Mean cross-entropy of the notes' own tokens."""
    return F.cross_entropy(answer_logits(base, notes), notes.targets)


def corrected(
    ids: torch.Tensor, log_probabilities: torch.Tensor, right: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Put the note's own answer where the teacher misread it: the language knows every answer, so errors need no copy.

    Args:
        ids: The teacher's top tokens, (N, top).
        log_probabilities: Their log-probabilities, (N, top).
        right: Whether the teacher has the whole answer right, per token of an answer, (N,).
        targets: The right tokens, (N,).
    """
    certain = torch.full_like(log_probabilities, -torch.inf)
    certain[:, 0] = 0.0
    new = torch.where(right[:, None], ids, targets[:, None].int())
    return new, torch.where(right[:, None], log_probabilities, certain)


def save(folder: Path, hypernet: HyperNetwork, base: Ministral3ForCausalLM, step: int) -> None:
    """Write a training checkpoint that `convert-weights` reads."""
    record = BaseRecord(
        path="../base",  # as the last stage leaves them
        repository=None,
        model_type=base.config.model_type,
        hidden_size=base.config.hidden_size,
        num_layers=base.config.num_hidden_layers,
        vocab_size=base.config.vocab_size,
        max_chunk_tokens=CHUNK,
        prefix_ids=(BOS, INST),
        suffix_ids=(END_INST,),
    )
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.write_model(folder, hypernet.config, hypernet.state_dict(), record, step)
