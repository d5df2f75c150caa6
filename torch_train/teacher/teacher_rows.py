"""What the teacher said about one context, on disk and in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa

from torch_train.data.shards import Shards, refuse_other
from torch_train.data.storage import read_table
from torch_train.model.generation import TOP

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("context_ids", pa.list_(pa.int32())),
        ("questions", pa.list_(pa.list_(pa.int32()))),
        ("answers", pa.list_(pa.list_(pa.int32()))),
        ("relevant", pa.list_(pa.bool_())),
        ("top_ids", pa.list_(pa.int32())),
        ("top_log_probabilities", pa.list_(pa.float16())),
    ]
)


@dataclass(frozen=True)
class TeacherRow:
    """A context and the teacher's answers to all its questions.

    Attributes:
        id: SHA-256 of the normalised context.
        source: where the row comes from.
        context_ids: the templated document, as the encoder reads it, (C,) int32.
        questions: the closed-book prompt of each question, as the student is asked, (q,) int32 each.
        answers: the teacher's answer to each, with the token that ends it, (a,) int32 each.
        relevant: whether the context is what the question is about, (questions,) bool.
        top_ids: the teacher's most probable tokens at every answer token, the answers one after the other, (N, 16).
        top_log_probabilities: their log-probabilities, not renormalised, (N, 16) fp16.
    """

    id: str
    source: str
    context_ids: np.ndarray
    questions: tuple[np.ndarray, ...]
    answers: tuple[np.ndarray, ...]
    relevant: np.ndarray
    top_ids: np.ndarray
    top_log_probabilities: np.ndarray


def certain(answers: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Answers that are known, as a teacher that is sure of each of their tokens: top ids and log-probabilities."""
    ids = np.zeros((sum(map(len, answers)), TOP), np.int32)
    ids[:, 0] = [token for answer in answers for token in answer]
    log_probabilities = np.full(ids.shape, -np.inf, np.float16)
    log_probabilities[:, 0] = 0.0
    return ids, log_probabilities


def teacher_table(rows: Sequence[TeacherRow]) -> pa.Table:
    """Rows as an Arrow table of `SCHEMA`."""
    columns = [pa.array([_flat(getattr(row, field.name)) for row in rows], type=field.type) for field in SCHEMA]
    return pa.table(columns, schema=SCHEMA)


def _flat(value: object) -> object:
    return value.reshape(-1) if isinstance(value, np.ndarray) else value


class TeacherData(Sequence[TeacherRow]):
    """All rows of a folder of teacher shards, in memory: 96 bytes for each answer token.

    `tables` are the shards, and `files` says which they are: place, number, size and time.

    Args:
        folder: What `python -m torch_train.teacher` wrote.
        base: Fingerprint of the base that is trained against.
        tokenizer: Fingerprint of its tokenizer.

    Raises:
        DataError: Shards are missing or damaged, or were made with another base or tokenizer.
    """

    def __init__(self, folder: Path, base: str, tokenizer: str) -> None:
        refuse_other(folder, {"kind": "teacher", "base": base, "tokenizer": tokenizer})
        shards = Shards.read(folder)
        self.tables = [read_table(shards.path(index), SCHEMA) for index in range(shards.count)]
        states = [shards.path(index).stat() for index in range(shards.count)]
        self.files = [[str(folder.resolve()), index, s.st_size, s.st_mtime_ns] for index, s in enumerate(states)]
        self._tables = [_Table(table) for table in self.tables]
        self._starts = np.cumsum([0, *map(len, self._tables)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, index: int) -> TeacherRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[TeacherRow]: ...
    def __getitem__(self, index: int | slice) -> TeacherRow | list[TeacherRow]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        table = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._tables[table].row(index - int(self._starts[table]))


class _Table:
    """One shard, as numpy views of its columns."""

    def __init__(self, table: pa.Table) -> None:
        self._columns = {name: _whole(table.column(name)) for name in SCHEMA.names}
        self._length = table.num_rows

    def __len__(self) -> int:
        return self._length

    def row(self, index: int) -> TeacherRow:
        return TeacherRow(
            id=self._columns["id"][index].as_py(),
            source=self._columns["source"][index].as_py(),
            context_ids=self._list("context_ids", index),
            questions=self._lists("questions", index),
            answers=self._lists("answers", index),
            relevant=self._list("relevant", index),
            top_ids=self._list("top_ids", index).reshape(-1, TOP),
            top_log_probabilities=self._list("top_log_probabilities", index).reshape(-1, TOP),
        )

    def _list(self, name: str, index: int) -> np.ndarray:
        return self._columns[name][index].values.to_numpy(zero_copy_only=False)

    def _lists(self, name: str, index: int) -> tuple[np.ndarray, ...]:
        return tuple(part.values.to_numpy(zero_copy_only=False) for part in self._columns[name][index].values)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, without a copy where it is one already."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
