"""What the base makes of notes in its context: the teacher of what is learnt about adapters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from transformers import Ministral3ForCausalLM

from torch_train.model.generation import top_log_probabilities
from torch_train.nano.base import answer_logits, exact
from torch_train.nano.tokenizer import line_break
from torch_train.nano.tree_rows import Item, TreeRows, open_rows


@dataclass(frozen=True)
class Reading:
    """Rows with their notes, logits at the answers (N, vocabulary), and which answers are right."""

    rows: TreeRows
    logits: torch.Tensor
    right: torch.Tensor

    def top(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What a student imitates: the top tokens at the answers and their log-probabilities, (N, top) each."""
        ids, log_probabilities = top_log_probabilities(self.logits.detach())
        return corrected(ids, log_probabilities, self.right[self.rows.answers], self.rows.targets)


def read_notes(base: Ministral3ForCausalLM, items: Sequence[Item], words: Tokenizer) -> Reading:
    """Answer every question with its note in context."""
    rows = open_rows(items, line_break(words)).to(base.device)
    logits = answer_logits(base, rows)
    return Reading(rows, logits, exact(logits.argmax(-1), rows))


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
