"""Base and hypernetwork together, so that questions alone leave keys an adapter can be found by.

The base that has only ever read notes in its context need not tell, from a question alone, which entity is meant; asked
from weights it must. This is why nano has its own loop: the trainer does not train a base.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import nn
from transformers import Ministral3ForCausalLM

from torch_train.model.encoder import layer_features
from torch_train.model.hypernet import HyperNetwork
from torch_train.model.lora import Injected, compose
from torch_train.model.loss import distillation_loss
from torch_train.model.ragged import Ragged
from torch_train.nano import base as base_stage
from torch_train.nano import pool
from torch_train.nano.base import answer_logits, answer_loss, decision_loss, exact
from torch_train.nano.curriculum import Curriculum
from torch_train.nano.language import Language
from torch_train.nano.reading import Reading, read_notes
from torch_train.nano.run import LoopSettings, Run, optimizer, schedule
from torch_train.nano.tokenizer import BOS, END_INST, INST
from torch_train.nano.tree_rows import Item, TreeRows, closed_rows, document_rows, recall_rows, tokenise
from torch_train.training import checkpoint
from torch_train.training.checkpoint import BaseRecord
from torch_train.training.optimizer import is_matrix

CHUNK = pool.MAX_DOCUMENT + 3  # tokens, template included
SILENT = 4  # sheets of questions without a note in every step: the base alone must keep refusing
# Of the note's own tokens, predicted from its weights; divided by the level, since the aim is to answer, not to recite.
RECALL_WEIGHT = 0.5
COMPOSE_FROM = 4  # level of the curriculum from which one step in eight gives each sample two notes


def train(
    folder: Path,
    words: Tokenizer,
    base: Ministral3ForCausalLM,
    hypernet: HyperNetwork,
    settings: LoopSettings,
) -> None:
    """Train both where they are and save them.

    Args:
        folder: Of this stage: its state and log, and the finished pair, `base/` and `hypernet/`.
        words: Nano's tokenizer.
        base: The base as the stage before left it.
        hypernet: The hypernetwork as the trainer left it.
        settings: Steps, batch size, learning rate, seed, device.
    """
    device = torch.device(settings.device)
    base, hypernet = base.to(device).requires_grad_(True), hypernet.to(device)
    both = nn.ModuleDict({"base": base, "hypernet": hypernet})
    adapters = Injected(base.model.layers, tuple(hypernet.config.modules), hypernet.config.scale)
    curriculum = Curriculum(first=2, last=pool.MOST_FACTS, accuracy=0.65, until=settings.falls_from)
    run = Run(folder, both, optimizer(both, _is_matrix), curriculum)
    batches = pool.Pool(words, settings.seed, settings.batch)
    for step in run.steps(settings.steps):
        schedule(run.optimizer, settings, step)
        items = list(batches.batch(step, curriculum.level))
        teacher = read_notes(base, items, words)
        student = absorb_notes(base, adapters, hypernet, items, teacher, _notes_per_sample(step, curriculum.level))
        language = Language(f"{settings.seed}-silent-{step}", "train")
        silent = closed_rows(tokenise(words, [language.silence(6) for _ in range(SILENT)])).to(device)
        refusal = F.cross_entropy(answer_logits(base, silent), silent.targets)
        reading = answer_loss(teacher.logits, teacher.rows)
        recall = RECALL_WEIGHT / curriculum.level * student.recall
        run.descend(student.loss + recall + reading + 0.1 * refusal)
        run.record(step, **_progress(teacher, student), refusal=refusal.item())
    adapters.remove()
    base.save_pretrained(folder / "base")
    save(folder / "hypernet", hypernet, base, settings.steps)


@dataclass(frozen=True)
class Student:
    """What the base makes of absorbed notes: rows, losses, right answers."""

    rows: TreeRows
    loss: torch.Tensor
    recall: torch.Tensor
    right: torch.Tensor


def absorb_notes(
    base: Ministral3ForCausalLM,
    adapters: Injected,
    hypernet: HyperNetwork,
    items: list[Item],
    teacher: Reading,
    per_sample: int,
) -> Student:
    """Answer every question from the weights that its note, or `per_sample` neighbouring notes, became."""
    device = base.device
    ids, log_probabilities = teacher.top()
    asked = closed_rows(_merge(items, per_sample)).to(device)
    document, mask = (tensor.to(device) for tensor in document_rows(items))
    together = Ragged.of([per_sample] * (len(items) // per_sample))
    generated = compose(hypernet(layer_features(base, document, mask), mask), hypernet.bias(), together)
    contexts = torch.tensor([row for row, item in enumerate(items) for _ in item.turns], device=device)
    with adapters.adapted(generated):
        logits = answer_logits(base, asked)
        loss = distillation_loss(logits, ids, log_probabilities, asked.answers, contexts) + decision_loss(logits, asked)
        # Two notes in one adapter cannot both be recalled from the same beginning.
        recall = _recall_loss(base, recall_rows(items).to(device)) if per_sample == 1 else torch.zeros_like(loss)
    return Student(asked, loss, recall, exact(logits.argmax(-1), asked))


def _merge(items: list[Item], per_sample: int) -> list[Item]:
    """Join the questions of neighbouring notes: what is asked of a sample that has absorbed all of them."""
    groups = [items[start : start + per_sample] for start in range(0, len(items), per_sample)]
    return [Item([], [turn for item in group for turn in item.turns]) for group in groups]


def _notes_per_sample(step: int, level: int) -> int:
    """One step in eight gives each sample the adapters of two notes, once single notes are known well enough."""
    return 2 if level >= COMPOSE_FROM and step % 8 == 7 else 1


def _progress(teacher: Reading, student: Student) -> dict[str, float]:
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


def _recall_loss(base: Ministral3ForCausalLM, notes: TreeRows) -> torch.Tensor:
    """Mean cross-entropy of the notes' own tokens."""
    return F.cross_entropy(answer_logits(base, notes), notes.targets)


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


def _is_matrix(name: str, parameter: nn.Parameter) -> bool:
    network, _, rest = name.partition(".")
    return (base_stage.is_matrix if network == "base" else is_matrix)(rest, parameter)
