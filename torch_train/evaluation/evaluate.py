"""What a base answers without, beside and with its document.

Every question is asked three ways: without the document (the lower bound), with the document in the context (the upper
bound), and with the document's adapter. Questions that belong to another document show what an adapter does to them.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mlx_hypernet.format.template import document_ids
from torch_train.data import niah
from torch_train.data.row import ContextRow
from torch_train.errors import DataError
from torch_train.evaluation.absorbed import AbsorbingModel
from torch_train.model.prompt import question_ids

WAYS = ("nothing", "context", "adapter")


@dataclass(frozen=True)
class Answered:
    """A question and what was answered to it.

    Attributes:
        id: Of the context that was given or absorbed.
        source: Of this context.
        tokens: Its length, templated.
        question: As the data set asks it.
        references: Acceptable answers.
        answers: Way -> answer; None where the document does not fit the base's context.
        relevant: Whether the question is about the context.
    """

    id: str
    source: str
    tokens: int
    question: str
    references: tuple[str, ...]
    answers: dict[str, str | None]
    relevant: bool


def evaluate(
    model: AbsorbingModel,
    rows: Sequence[ContextRow],
    max_answer_tokens: int,
    unrelated: int,
    seed: int = 0,
    asked_as: Callable[[str, str], str] = lambda _, question: question,
) -> Iterator[Answered]:
    """Ask everything that has a reference answer.

    Args:
        model: Base and hypernetwork.
        rows: Contexts with questions.
        max_answer_tokens: Answers are cut here.
        unrelated: Questions of other contexts that are asked about each context.
        seed: Of their choice.
        asked_as: How a question of a source is put to the base.
    """
    known = [row for row in rows if any(row.answers)]
    for row in known:
        own = [(q, references, True) for q, references in zip(row.questions, row.answers, strict=True) if references]
        foreign = _foreign(row, known, unrelated, random.Random(f"{seed}-{row.id}"))
        asked = own + [(q, references, False) for q, references in foreign]
        put = [asked_as(row.source, question) for question, _, _ in asked]
        adapters = model.absorb(row.context)
        closed = [question_ids(model.tokenizer, question) for question in put]
        opened = [question_ids(model.tokenizer, question, row.context) for question in put]
        fits = max(map(len, opened)) + max_answer_tokens <= model.context_length
        by_way = {
            "nothing": model.answer(closed, max_answer_tokens),
            "context": model.answer(opened, max_answer_tokens) if fits else [None] * len(asked),
            "adapter": model.answer(closed, max_answer_tokens, adapters),
        }
        tokens = len(document_ids(model.tokenizer, row.context))
        for i, (question, references, relevant) in enumerate(asked):
            answers = {way: by_way[way][i] for way in WAYS}
            yield Answered(row.id, row.source, tokens, question, references, answers, relevant)


def _foreign(
    row: ContextRow, rows: Sequence[ContextRow], count: int, draw: random.Random
) -> list[tuple[str, tuple[str, ...]]]:
    """One question each, with known answers, of some other contexts; needles, which all ask alike, take no part."""
    others = [other for other in rows if other.id != row.id and not _is_needle(other)]
    if _is_needle(row):
        return []
    drawn = []
    for other in draw.sample(others, min(count, len(others))):
        known = [pair for pair in zip(other.questions, other.answers, strict=True) if pair[1]]
        question, references = draw.choice(known)
        if question not in row.questions:
            drawn.append((question, references))
    return drawn


def _is_needle(row: ContextRow) -> bool:
    return row.source.startswith("niah/")


def needles(
    lengths: Sequence[int], depths: int, per_cell: int, count: Callable[[str], int], seed: int
) -> list[ContextRow]:
    """Needles for the heat map, those that cannot be made left out with a line on stderr."""
    rows: list[ContextRow] = []
    for length in lengths:
        try:
            rows += niah.grid([length], depths, per_cell, count, seed)
        except DataError as error:
            print(f"no needle in {length} tokens: {error}", file=sys.stderr)
    return rows
