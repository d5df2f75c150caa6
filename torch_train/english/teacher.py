"""English contexts as the trainer reads them: tokens of each context, its questions, and the answers to give.

The known answers are the targets, so the base does not have to read anything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlx_hypernet.format.template import document_ids
from torch_train.data.row import context_id
from torch_train.data.shards import Shards
from torch_train.model.fingerprint import base_fingerprint, tokenizer_fingerprint
from torch_train.model.generation import TOP
from torch_train.model.prompt import question_ids
from torch_train.model.tokenizer import load_tokenizer
from torch_train.teacher.teacher_rows import TeacherRow, certain, teacher_table

SHARD = 2048  # contexts


@dataclass(frozen=True)
class Asked:
    """A context and what is asked about it.

    Attributes:
        text: The context.
        questions: (question, answer, whether the context answers it) each.
        source: Where it comes from.
    """

    text: str
    questions: tuple[tuple[str, str, bool], ...]
    source: str


def teach(
    folder: Path, base: Path, contexts: int, settings: dict[str, Any], draw: Callable[[int, int], list[Asked]]
) -> None:
    """Write teacher shards; a killed run continues with the missing ones.

    Args:
        folder: Where they are, or will be.
        base: Folder of the base, whose tokenizer and template the rows are made with.
        contexts: Their number.
        settings: Everything that `draw` depends on; kept in the manifest and compared.
        draw: The contexts of one shard, given its number and how many they are.

    Raises:
        DataError: The folder was begun from another base or other settings.
    """
    tokenizer = load_tokenizer(base)
    manifest: dict[str, Any] = {
        "kind": "teacher",
        "shards": -(-contexts // SHARD),
        "base": base_fingerprint(base),
        "tokenizer": tokenizer_fingerprint(tokenizer),
        "settings": settings | {"contexts": contexts},
    }
    stored = Shards.open(folder, manifest, {"base": base.name, "contexts": contexts, "top": TOP})
    for index in stored.missing():
        asked = draw(index, min(contexts - index * SHARD, SHARD))
        stored.write(index, teacher_table([row(tokenizer, each) for each in asked]))
        print(f"shard {index + 1} of {stored.count}: {len(asked)} contexts", file=sys.stderr, flush=True)


def row(tokenizer: Any, asked: Asked) -> TeacherRow:
    """One context as the trainer takes it: every answer certain, and ended by the template's own end of a turn."""
    answers = [
        [*tokenizer.encode(answer, add_special_tokens=False), tokenizer.eos_token_id]
        for _, answer, _ in asked.questions
    ]
    ids, log_probabilities = certain(answers)
    return TeacherRow(
        id=context_id(asked.text),
        source=asked.source,
        context_ids=_array(document_ids(tokenizer, asked.text)),
        questions=tuple(_array(question_ids(tokenizer, question)) for question, _, _ in asked.questions),
        answers=tuple(map(_array, answers)),
        relevant=np.array([known for _, _, known in asked.questions]),
        top_ids=ids,
        top_log_probabilities=log_probabilities,
    )


def _array(ids: Sequence[int]) -> np.ndarray:
    return np.array(ids, dtype=np.int32)
