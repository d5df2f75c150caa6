"""A row: one context with all its questions. Rows on disk are parquet with one fixed schema."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from torch_train.data.storage import read_table, write_table
from torch_train.errors import DataError

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("context", pa.string()),
        ("questions", pa.list_(pa.string())),
        ("answers", pa.list_(pa.list_(pa.string()))),
        ("source", pa.string()),
    ]
)


_NEEDLE = re.compile(r"niah/\d+/\d+\.\d+")  # length and depth, as `niah.py` writes them


class RowError(ValueError):
    """A row that cannot be used."""


@dataclass(frozen=True)
class ContextRow:
    """A context with all its questions ("compact"). Texts are stripped; nothing in them is cut or changed.

    Attributes:
        context: the document; never empty.
        questions: what is asked about it; none where they are still to be written (`generate.py`).
        answers: the acceptable reference answers of each question; an empty tuple where none is known.
        source: where the row comes from: `squad`, or `niah/256/0.50` for a needle (tokens, depth).
        id: SHA-256 of the normalised context: the row's identity in every file.

    Raises:
        RowError: An empty context or question, or as many lists of answers as there are not questions.
    """

    context: str
    questions: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]
    source: str
    id: str = field(init=False)

    def __post_init__(self) -> None:
        """Strip, check, and compute the id."""
        set_ = object.__setattr__
        set_(self, "context", _clean(self.context))
        set_(self, "questions", tuple(_clean(question) for question in self.questions))
        set_(self, "answers", tuple(tuple(filter(None, map(_clean, known))) for known in self.answers))
        set_(self, "source", _clean(self.source))
        if not self.context:
            raise RowError("an empty context")
        if self.source.startswith("niah/") and not _NEEDLE.fullmatch(self.source):
            raise RowError(f"the source {self.source}: niah/TOKENS/DEPTH is kept for needles")
        if not all(self.questions):
            raise RowError("an empty question")
        if len(self.questions) != len(self.answers):
            raise RowError(f"{len(self.questions)} questions, answers to {len(self.answers)}")
        set_(self, "id", context_id(self.context))


def context_id(context: str) -> str:
    """SHA-256 of a context, whatever its letter case, white space and Unicode form: what makes two contexts one."""
    normal = " ".join(unicodedata.normalize("NFKC", context).casefold().split())
    return hashlib.sha256(normal.encode()).hexdigest()


def fingerprint(rows: Iterable[ContextRow]) -> str:
    """Hash of rows in their order, letter for letter: what something was made from."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps([row.context, row.questions, row.answers]).encode())
    return digest.hexdigest()


def write_rows(path: Path, rows: Sequence[ContextRow]) -> None:
    """Write rows as parquet."""
    write_table(path, rows_table(rows))


def read_rows(path: Path) -> list[ContextRow]:
    """Read rows that `write_rows` wrote.

    Raises:
        DataError: The file is missing, damaged, or holds something else.
    """
    records = read_table(path, SCHEMA).to_pylist()
    try:
        return [row_from(record) for record in records]
    except (TypeError, ValueError) as error:  # null, which a column may hold, or no row
        raise DataError(f"{path} holds a row that cannot be used ({error}): make it again") from error


def rows_table(rows: Iterable[ContextRow]) -> pa.Table:
    """Rows as an Arrow table of `SCHEMA`."""
    records = [{name: getattr(row, name) for name in SCHEMA.names} for row in rows]
    return pa.Table.from_pylist(records, schema=SCHEMA)


def row_from(record: dict[str, Any]) -> ContextRow:
    """The row of a record of `SCHEMA`."""
    answers = tuple(tuple(known) for known in record["answers"])
    return ContextRow(record["context"], tuple(record["questions"]), answers, record["source"])


def _clean(text: Any) -> str:
    """Strip; a lone surrogate, which JSON can carry and parquet cannot, becomes a question mark."""
    if not isinstance(text, str):
        raise RowError(f"{type(text).__name__} instead of text")
    return text.encode("utf-8", "replace").decode().strip()
