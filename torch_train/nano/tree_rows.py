"""Notes to tensors: one row holds a note once and all its questions side by side.

A row is a tree. Its trunk is the note; each branch is one conversation about it, which sees the trunk and itself but no
other branch, and whose positions continue from the trunk. The closed rows are the same branches without the trunk: what
the model is given when the note is in its weights instead of its context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from torch_train.nano.language import UNKNOWN, Note
from torch_train.nano.tokenizer import BOS, END_INST, EOS, INST, PAD

_TRUNK, _PADDING = 0, -1


@dataclass(frozen=True)
class TreeRows:
    """A batch of rows.

    Attributes:
        ids: Token ids, (B, T).
        positions: Position ids, (B, T).
        branches: 0 in the trunk, 1.. in the conversations, -1 in the padding; (B, T).
        predicts: Flat indices into B * T of the positions whose next token belongs to an answer, (N,).
        targets: Those next tokens, (N,).
        answers: Running number of the answer that each target belongs to, (N,).
        known: Which answers the note holds, as opposed to "I don't know."; bool (answers,).
    """

    ids: torch.Tensor
    positions: torch.Tensor
    branches: torch.Tensor
    predicts: torch.Tensor
    targets: torch.Tensor
    answers: torch.Tensor
    known: torch.Tensor

    def mask(self) -> torch.Tensor:
        """Who attends to whom, bool (B, 1, T, T); padding attends to itself so that no softmax row is empty."""
        query, key = self.branches[:, :, None], self.branches[:, None, :]
        length = self.ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=self.ids.device).tril()
        return (causal & ((query == key) | ((key == _TRUNK) & (query != _PADDING))))[:, None]

    @property
    def first(self) -> torch.Tensor:
        """Which targets begin an answer, bool (N,)."""
        return self.answers.diff(prepend=self.answers.new_full((1,), -1)) > 0

    def to(self, device: torch.device) -> TreeRows:
        """The same rows on another device."""
        return TreeRows(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Turn:
    """A tokenised question and its answer; `follows` as in `language.Question`, `known`: the note holds the answer."""

    question: list[int]
    answer: list[int]
    follows: bool
    known: bool


@dataclass(frozen=True)
class Item:
    """A tokenised note (empty: none) and its questions."""

    document: list[int]
    turns: list[Turn]

    def __len__(self) -> int:
        """Tokens of the note and its questions, roughly the length of its row."""
        return len(self.document) + sum(len(turn.question) + len(turn.answer) for turn in self.turns)


def tokenise(tokenizer: Tokenizer, notes: Sequence[Note]) -> list[Item]:
    """Encode notes, questions and answers; the note is not yet in the template."""
    texts = [note.text for note in notes]
    for note in notes:
        for question in note.questions:
            texts += [question.text, " " + question.answer]
    encoded = iter(encoding.ids for encoding in tokenizer.encode_batch_fast(texts))
    documents = [next(encoded) for _ in notes]
    items = []
    for note, document in zip(notes, documents, strict=True):
        turns = [
            Turn(next(encoded), next(encoded), question.follows, question.answer != UNKNOWN)
            for question in note.questions
        ]
        items.append(Item(document, turns))
    return items


def open_rows(items: Sequence[Item], line_break: int) -> TreeRows:
    r"""Rows with the note in context, shared by its questions: `<s>[INST]note\n\nquestion[/INST] answer</s>`."""
    rows = []
    for item in items:
        trunk = [BOS, INST, *item.document] if item.document else []
        start = [line_break, line_break] if item.document else [BOS, INST]
        rows.append((trunk, start, item.turns))
    return _assemble(rows)


def closed_rows(items: Sequence[Item]) -> TreeRows:
    """The same questions without the note: `<s>[INST]question[/INST] answer</s>`. Targets are in the same order."""
    return _assemble([([], [BOS, INST], item.turns) for item in items])


def document_rows(items: Sequence[Item]) -> tuple[torch.Tensor, torch.Tensor]:
    """What the encoder reads: `<s>[INST]note[/INST]`, right-padded; ids and mask (B, T), False in the padding."""
    documents = [[BOS, INST, *item.document, END_INST] for item in items]
    length = max(map(len, documents))
    ids = torch.full((len(documents), length), PAD)
    mask = torch.zeros(len(documents), length, dtype=torch.bool)
    for row, document in enumerate(documents):
        ids[row, : len(document)] = torch.tensor(document)
        mask[row, : len(document)] = True
    return ids, mask


def recall_rows(items: Sequence[Item]) -> TreeRows:
    """The notes themselves, `<s>[INST]note`: every token of a note is a target, for a model that has absorbed it."""
    start = [BOS, INST]
    length = len(start) + max(len(item.document) for item in items)
    ids = torch.full((len(items), length), PAD)
    for row, item in enumerate(items):
        ids[row, : len(start) + len(item.document)] = torch.tensor([*start, *item.document])
    rows, columns = (ids != PAD).nonzero(as_tuple=True)
    inside = columns >= len(start)
    rows, columns = rows[inside], columns[inside]
    return TreeRows(
        ids=ids,
        positions=torch.arange(length).expand_as(ids),
        branches=torch.where(ids == PAD, _PADDING, _TRUNK),
        predicts=rows * length + columns - 1,
        targets=ids[rows, columns],
        answers=rows,
        known=torch.ones(len(items), dtype=torch.bool),
    )


def _assemble(rows: list[tuple[list[int], list[int], list[Turn]]]) -> TreeRows:
    """Rows from (trunk, start of every conversation, turns)."""
    sequences: list[tuple[list[int], list[int], list[int]]] = []
    predicts: list[tuple[int, int]] = []
    targets: list[int] = []
    answers: list[int] = []
    known: list[bool] = []
    for row, (trunk, start, turns) in enumerate(rows):
        ids, positions, branches = list(trunk), list(range(len(trunk))), [_TRUNK] * len(trunk)
        branch, position = 0, 0
        for turn in turns:
            if not turn.follows:
                branch, position = branch + 1, len(trunk)
            tokens = [*([INST] if turn.follows else start), *turn.question, END_INST, *turn.answer, EOS]
            first = len(ids) + len(tokens) - len(turn.answer) - 2  # the [/INST] before the answer
            ids += tokens
            positions += range(position, position + len(tokens))
            branches += [branch] * len(tokens)
            position += len(tokens)
            predicts += [(row, first + step) for step in range(len(turn.answer) + 1)]
            targets += [*turn.answer, EOS]
            answers += [len(known)] * (len(turn.answer) + 1)
            known.append(turn.known)
        sequences.append((ids, positions, branches))
    length = max(len(ids) for ids, _, _ in sequences)
    ids_, positions_, branches_ = (
        torch.tensor([sequence[part] + [fill] * (length - len(sequence[part])) for sequence in sequences])
        for part, fill in enumerate((PAD, 0, _PADDING))
    )
    flat = torch.tensor([row * length + position for row, position in predicts])
    return TreeRows(
        ids_, positions_, branches_, flat, torch.tensor(targets), torch.tensor(answers), torch.tensor(known)
    )
