"""Nano's base: a tiny ministral3 that learns to answer from the note in its context, and to say when it cannot."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import Ministral3Config, Ministral3ForCausalLM

from torch_train.nano import pool, tokenizer
from torch_train.nano.curriculum import Curriculum
from torch_train.nano.run import LoopSettings, Run, optimizer, schedule
from torch_train.nano.tokenizer import line_break
from torch_train.nano.tree_rows import TreeRows, open_rows

NOTE_WEIGHT = 0.1  # of the next-token loss inside the note, beside 1 for the answers
NOTE_SAMPLE = 512  # positions of the notes that this loss is taken at


def config() -> Ministral3Config:
    """1.6M parameters in the architecture of Ministral-3."""
    return Ministral3Config(
        vocab_size=tokenizer.VOCAB_SIZE,
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=4096,
        rms_norm_eps=1e-5,
        initializer_range=0.05,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.BOS,
        eos_token_id=tokenizer.EOS,
        pad_token_id=tokenizer.PAD,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10000.0,
            "llama_4_scaling_beta": 0.1,
            "original_max_position_embeddings": 4096,
        },
    )


def hidden_states(model: Ministral3ForCausalLM, rows: TreeRows) -> torch.Tensor:
    """Final hidden states of a batch of rows, (B, T, hidden)."""
    output = model.model(input_ids=rows.ids, attention_mask=rows.mask(), position_ids=rows.positions, use_cache=False)
    return output.last_hidden_state


def answer_logits(model: Ministral3ForCausalLM, rows: TreeRows) -> torch.Tensor:
    """Logits at the answers' positions, (N, vocabulary)."""
    return model.lm_head(hidden_states(model, rows).flatten(0, 1)[rows.predicts])


def exact(predicted: torch.Tensor, rows: TreeRows) -> torch.Tensor:
    """Which answers are right in every token, bool (answers,)."""
    wrong = torch.zeros(len(rows.known), device=predicted.device)
    wrong.index_add_(0, rows.answers, (predicted != rows.targets).float())
    return wrong == 0


def answer_loss(logits: torch.Tensor, rows: TreeRows) -> torch.Tensor:
    """Mean cross-entropy of the answers' tokens, plus that of their first ones.

    The first token decides: a refusal, or whose value. The rest is spelling, of which a refusal has five tokens.
    """
    return F.cross_entropy(logits, rows.targets) + decision_loss(logits, rows)


def decision_loss(logits: torch.Tensor, rows: TreeRows) -> torch.Tensor:
    """Mean cross-entropy of the answers' first tokens."""
    return F.cross_entropy(logits[rows.first], rows.targets[rows.first])


def _loss(
    model: Ministral3ForCausalLM, rows: TreeRows, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    hidden = hidden_states(model, rows).flatten(0, 1)
    logits = model.lm_head(hidden[rows.predicts])
    loss = answer_loss(logits, rows)
    in_note = (rows.branches[:, 1:] == 0) & (rows.branches[:, :-1] == 0)
    row, column = in_note.nonzero(as_tuple=True)
    chosen = torch.randperm(len(row), generator=generator)[:NOTE_SAMPLE]
    row, column = row[chosen], column[chosen]
    note_logits = model.lm_head(hidden[row * rows.ids.shape[1] + column])
    return loss + NOTE_WEIGHT * F.cross_entropy(note_logits, rows.ids[row, column + 1]), logits.argmax(-1)


def is_matrix(name: str, parameter: torch.nn.Parameter) -> bool:
    """Which parameters Muon takes."""
    return ".layers." in name and parameter.ndim == 2


def load(folder: Path) -> Ministral3ForCausalLM:
    """A base that was saved, in fp32."""
    return Ministral3ForCausalLM.from_pretrained(folder, dtype=torch.float32)


def train(folder: Path, words: Tokenizer, settings: LoopSettings) -> Ministral3ForCausalLM:
    """Train the base and save it in Hugging Face's format; resumes where a killed run stopped.

    Args:
        folder: Of this stage: its state and log, and `base/` when it is done.
        words: Nano's tokenizer.
        settings: Steps, batch size, learning rate, seed, device.
    """
    torch.manual_seed(settings.seed)
    device = torch.device(settings.device)
    model = Ministral3ForCausalLM(config()).to(device)
    curriculum = Curriculum(first=3, last=12, accuracy=0.80, until=settings.falls_from)
    run = Run(folder, model, optimizer(model, is_matrix), curriculum)
    batches = pool.Pool(words, settings.seed, settings.batch)
    for step in run.steps(settings.steps):
        schedule(run.optimizer, settings, step)
        items = batches.batch(step, curriculum.level, silence=0.06)
        rows = open_rows(items, line_break(words)).to(device)
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        loss, predicted = _loss(model, rows, generator)
        run.descend(loss)
        hits = exact(predicted, rows).float()
        run.record(
            step,
            progress=hits.mean().item(),
            loss=loss.item(),
            exact=hits[rows.known].mean().item(),
            unknown=hits[~rows.known].mean().item(),
        )
    model.save_pretrained(folder / "base")
    return model
