"""What the router chooses among: the absorbed chunks of some documents."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, overload

from thoth.library.records import ChunkRef

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Scope(Sequence[ChunkRef]):
    """The absorbed chunks of some documents, N of them, in the library's order.

    A library of 10,000 documents has some 40,000 chunks, of which a question looks at a few dozen: chunks are kept as
    columns of numbers, and named when they are asked for.

    Attributes:
        keys: (N,) their keys in the database, ascending.
        lengths: (N,) their lengths in tokens.

    Args:
        database: the library's.
        documents: ids; an unknown one has no chunks.
    """

    keys: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __init__(self, database: sqlite3.Connection, documents: Collection[str]) -> None:
        import numpy as np

        chosen = "SELECT documents.key, documents.id FROM json_each(?) JOIN documents ON documents.id = value"
        self._ids: dict[int, str] = dict(database.execute(chosen, (json.dumps([*documents]),)).fetchall())
        # In the order of an index: no sorting, and the keys of chunks ascend with it.
        rows = database.execute(
            """SELECT key, document, number, tokens FROM chunks JOIN adapters ON chunk = key
            WHERE document IN (SELECT value FROM json_each(?)) ORDER BY document, number""",
            (json.dumps([*self._ids]),),
        ).fetchall()
        self.keys, self._documents, self._numbers, self.lengths = np.array(rows, np.int64).reshape(-1, 4).T.copy()

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, place: int) -> ChunkRef: ...

    @overload
    def __getitem__(self, place: slice) -> list[ChunkRef]: ...

    def __getitem__(self, place: int | slice) -> ChunkRef | list[ChunkRef]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        return ChunkRef(self._ids[int(self._documents[place])], int(self._numbers[place]))
