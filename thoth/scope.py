"""What the router chooses among: the absorbed chunks of some documents, as arrays."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thoth.errors import ThothError
from thoth.stored import ChunkRef


@dataclass(frozen=True)
class Scope:
    """The absorbed chunks of some documents, N of them, in the library's order.

    Attributes:
        refs: their names.
        keys: (N,) their keys in the database, ascending.
        lengths: (N,) their lengths in tokens.
        features: (N, D) what a question's features are compared with.
    """

    refs: list[ChunkRef]
    keys: NDArray[np.int64]
    lengths: NDArray[np.float64]
    features: NDArray[np.float32]


NONE = Scope([], np.empty(0, np.int64), np.empty(0), np.empty((0, 0), np.float32))


def load(database: sqlite3.Connection, documents: Collection[str]) -> Scope:
    """Read the absorbed chunks of the documents with these ids; an id nobody knows stands for none.

    Raises:
        ThothError: Different bundles absorbed the documents.
    """
    chosen = "SELECT documents.key, documents.id FROM json_each(?) JOIN documents ON documents.id = value"
    ids: dict[int, str] = dict(database.execute(chosen, (json.dumps([*documents]),)).fetchall())
    # In the order of an index: no sorting, and the keys of chunks ascend with it.
    rows = database.execute(
        """SELECT key, document, number, tokens, vector FROM chunks JOIN features ON chunk = key
        WHERE document IN (SELECT value FROM json_each(?)) ORDER BY document, number""",
        (json.dumps([*ids]),),
    ).fetchall()
    if not rows:
        return NONE
    keys, places, numbers, tokens, vectors = zip(*rows, strict=True)
    if len(set(map(len, vectors))) > 1:
        raise ThothError("different models absorbed these documents: `thoth docs update` absorbs them with this one")
    return Scope(
        [ChunkRef(ids[place], number) for place, number in zip(places, numbers, strict=True)],
        np.array(keys, np.int64),
        np.array(tokens, np.float64),
        np.frombuffer(b"".join(vectors), "<f4").reshape(len(rows), -1),
    )
