"""Base and hypernetwork together, so that questions alone leave keys an adapter can be found by.

The base that has only ever read notes in its context need not tell, from a question alone, which entity is meant; asked
from weights it must. The second time the hypernetwork is wider (`widen.py`) and notes have all their facts from the
start.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import nn
from transformers import Ministral3ForCausalLM

from torch_train.hypernet import HyperNetwork
from torch_train.lora import Injected
from torch_train.nano import base as base_stage
from torch_train.nano import distil, pool
from torch_train.nano.base import answer_logits, answer_loss
from torch_train.nano.curriculum import Curriculum
from torch_train.nano.distil import RECALL_WEIGHT, absorb_notes, notes_per_sample, progress, read_notes
from torch_train.nano.language import Language
from torch_train.nano.rows import closed_rows, tokenise
from torch_train.nano.run import Run, Settings, optimizer, schedule

SILENT = 4  # sheets of questions without a note in every step: the base alone must go on refusing


def train(
    folder: Path,
    words: Tokenizer,
    base: Ministral3ForCausalLM,
    hypernet: HyperNetwork,
    settings: Settings,
    first: int,
) -> None:
    """Train both where they are and save them.

    Args:
        folder: Of this stage: its state and log, and the finished pair, `base/` and `hypernet/`.
        words: Nano's tokenizer.
        base: The base as the stage before left it.
        hypernet: The hypernetwork as the stage before left it.
        settings: Steps, batch size, learning rate, seed, device.
        first: Facts of a note at the beginning, up to `pool.MOST_FACTS`.
    """
    device = torch.device(settings.device)
    base, hypernet = base.to(device).requires_grad_(True), hypernet.to(device)
    both = nn.ModuleDict({"base": base, "hypernet": hypernet})
    adapters = Injected(base.model.layers, tuple(hypernet.config.modules), hypernet.config.scale)
    curriculum = Curriculum(first, pool.MOST_FACTS, accuracy=0.65, until=settings.falls_from)
    run = Run(folder, both, optimizer(both, _is_matrix), curriculum)
    batches = pool.Pool(words, settings.seed + 2, settings.batch)
    for step in run.steps(settings.steps):
        schedule(run.optimizer, settings, step)
        items = list(batches.batch(step, curriculum.level))
        teacher = read_notes(base, items, words)
        student = absorb_notes(base, adapters, hypernet, items, teacher, notes_per_sample(step, curriculum.level))
        language = Language(f"{settings.seed}-silent-{step}", "train")
        silent = closed_rows(tokenise(words, [language.silence(6) for _ in range(SILENT)])).to(device)
        refusal = F.cross_entropy(answer_logits(base, silent), silent.targets)
        reading = answer_loss(teacher.logits, teacher.rows)
        recall = RECALL_WEIGHT / curriculum.level * student.recall
        run.descend(student.loss + recall + reading + 0.1 * refusal)
        run.record(step, **progress(teacher, student), refusal=refusal.item())
    adapters.remove()
    base.save_pretrained(folder / "base")
    distil.save(folder / "hypernet", hypernet, base, settings.steps)


def _is_matrix(name: str, parameter: nn.Parameter) -> bool:
    network, _, rest = name.partition(".")
    stage = base_stage if network == "base" else distil
    return stage.is_matrix(rest, parameter)
