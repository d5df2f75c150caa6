"""How long everything in the rows is, as columns: what a plan needs to know of millions of rows, read without loops."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from torch_train.teacher.teacher_rows import TeacherRow, teacher_table


@dataclass(frozen=True)
class Lengths:
    """Columns of N rows with I inputs in all.

    Attributes:
        ids: Of the rows, (N,).
        contexts: Tokens of each templated document, (N,).
        begins: Whether it begins with the template's prefix, (N,) bool.
        ends: Whether it ends with the template's suffix, (N,) bool.
        inputs: Tokens of each input: question and answer, without the answer's last token, (I,).
        first: Where each row's inputs begin, and the end of the last, (N + 1,).
    """

    ids: pa.ChunkedArray
    contexts: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    inputs: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[TeacherRow], prefix: Sequence[int], suffix: Sequence[int]) -> Lengths:
        """Of any rows; those that know their tables are not read one by one."""
        tables = getattr(rows, "tables", None)
        if tables is None:
            tables = [teacher_table(rows)]
        parts = [_of_table(table, prefix, suffix) for table in tables]
        counts = np.concatenate([np.diff(part.first) for part in parts])
        return cls(
            pa.chunked_array([chunk for part in parts for chunk in part.ids.chunks], type=pa.string()),
            np.concatenate([part.contexts for part in parts]),
            np.concatenate([part.begins for part in parts]),
            np.concatenate([part.ends for part in parts]),
            np.concatenate([part.inputs for part in parts]),
            np.concatenate([[0], counts.cumsum()]),
        )


def row_ids(rows: Sequence[TeacherRow]) -> pa.ChunkedArray:
    """The ids of rows."""
    tables = getattr(rows, "tables", None)
    if tables is None:
        return pa.chunked_array([[row.id for row in rows]], type=pa.string())
    return pa.chunked_array([chunk for table in tables for chunk in table.column("id").chunks], type=pa.string())


def keys(ids: Sequence[str]) -> np.ndarray:
    """A number for each row, from its id alone, (N,) uint64."""
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in ids)
    return np.frombuffer(digests, dtype=np.uint64)


def uniform(of: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """A number in [0, 1) for each key (N,), another one in every epoch."""
    stream = _mixed(_mixed(np.array([seed & (2**64 - 1)], dtype=np.uint64)) + np.uint64(epoch))
    return (_mixed(of ^ stream) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(x: np.ndarray) -> np.ndarray:
    """SplitMix64 (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators); wraps around."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _of_table(table: pa.Table, prefix: Sequence[int], suffix: Sequence[int]) -> Lengths:
    context = _one(table, "context_ids")
    starts = np.asarray(context.offsets, dtype=np.int64)
    contexts, tokens = np.diff(starts), context.values.to_numpy(zero_copy_only=False)
    questions, first = _inner(_one(table, "questions"))
    answers, _ = _inner(_one(table, "answers"))
    begins, ends = _matches(tokens, starts[:-1], prefix), _matches(tokens, starts[1:] - len(suffix), suffix)
    long = (contexts >= len(prefix)) & (contexts >= len(suffix))
    return Lengths(table.column("id"), contexts, begins & long, ends & long, questions + answers - 1, first)


def _matches(tokens: np.ndarray, starts: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """Whether `ids` lie at each of the starts."""
    found = np.ones(len(starts), dtype=bool)
    for place, token in enumerate(ids):
        found &= tokens[np.clip(starts + place, 0, len(tokens) - 1)] == token
    return found


def _inner(lists: Any) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of the inner lists, and where each outer list's begin."""
    outer, inner = np.asarray(lists.offsets, dtype=np.int64), np.asarray(lists.values.offsets, dtype=np.int64)
    return np.diff(inner)[outer[0] : outer[-1]], outer - outer[0]


def _one(table: pa.Table, name: str) -> Any:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
