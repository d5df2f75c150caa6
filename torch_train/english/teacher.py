"""English contexts as the trainer reads them: tokens of each context, its questions, and the answers to give.

The known answers are the targets, so the base does not have to read anything.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from torch_train.data.row import context_id
from torch_train.data.shards import Shards
from torch_train.model.fingerprint import base_fingerprint, tokenizer_fingerprint
from torch_train.model.generation import TOP
from torch_train.model.prompt import Prompts, plain_ids
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


Draw = Callable[[int, int], list[Asked]]


def teach(
    folder: Path,
    base: Path,
    contexts: int,
    settings: dict[str, Any],
    draw: Draw,
    pool: Executor | None = None,
) -> None:
    """Write teacher shards; a killed run continues with the missing ones.

    Args:
        folder: Where they are, or will be.
        base: Folder of the base, whose tokenizer and template the rows are made with.
        contexts: Their number.
        settings: Everything that `draw` depends on; kept in the manifest and compared.
        draw: The contexts of one shard, given its number and how many they are.
        pool: Processes that shards are made in, to which `draw` must be sent; None for this one.

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
    missing = [(index, min(contexts - index * SHARD, SHARD)) for index in stored.missing()]
    if pool is None:
        for index, count in missing:
            _told(stored, index, _write(stored, base, draw, index, count))
        return
    begun = {pool.submit(_write, stored, base, draw, index, count): index for index, count in missing}
    for done in as_completed(begun):
        _told(stored, begun[done], done.result())


def rows(tokenizer: Any, contexts: Sequence[Asked]) -> list[TeacherRow]:
    """Contexts as the trainer takes them: every answer certain, and ended by the template's own end of a turn."""
    prompts = Prompts(tokenizer)
    return [_row(tokenizer, prompts, asked) for asked in contexts]


def as_it_stands(answer: str, text: str) -> str:
    """An answer with the space before it where the text has it after one, so that its tokens are those of the text.

    A tokenizer gives a word other tokens behind a space: copying would be translating.
    """
    return f" {answer}" if f" {answer}" in text else answer


def _row(tokenizer: Any, prompts: Prompts, asked: Asked) -> TeacherRow:
    answers = [
        [*plain_ids(tokenizer, as_it_stands(answer, asked.text)), tokenizer.eos_token_id]
        for _, answer, _ in asked.questions
    ]
    ids, log_probabilities = certain(answers)
    context, *questions = prompts.ids([asked.text, *(question for question, _, _ in asked.questions)])
    return TeacherRow(
        id=context_id(asked.text),
        source=asked.source,
        context_ids=_array(context),
        questions=tuple(map(_array, questions)),
        answers=tuple(map(_array, answers)),
        relevant=np.array([known for _, _, known in asked.questions]),
        top_ids=ids,
        top_log_probabilities=log_probabilities,
    )


def _write(stored: Shards, base: Path, draw: Draw, index: int, count: int) -> int:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one text at a time: threads cost more than they bring
    asked = draw(index, count)
    stored.write(index, teacher_table(rows(_tokenizer(base), asked)))
    return len(asked)


@lru_cache(maxsize=1)
def _tokenizer(base: Path) -> Any:
    return load_tokenizer(base)


def _told(stored: Shards, index: int, contexts: int) -> None:
    print(f"shard {index + 1} of {stored.count}: {contexts} contexts", file=sys.stderr, flush=True)


def _array(ids: Sequence[int]) -> np.ndarray:
    return np.array(ids, dtype=np.int32)
