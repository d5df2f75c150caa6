"""Documents and chunks as rows of the library's database; the caller holds the connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from thoth.errors import DocumentError
from thoth.ingest.contents import contents, without_contents
from thoth.ingest.document import Block, Document
from thoth.ingest.names import shown
from thoth.ingest.stamps import Stamp
from thoth.library.records import ChunkRef, Receipt, StoredChunk, StoredDocument
from thoth.library.search_text import search_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlx_hypernet.marks import Marks
    from thoth.ingest.chunks import Chunk

_FACTS = (
    "id, name, source, bundle, chunking, active, pages, chunks, absorbed, tokens, bytes, added, of_chat, loss, readable"
)
_IN = "(SELECT json_group_array(collection) FROM members WHERE document = documents.key)"
_PLACE = "number, first_page, last_page, headings, start, tokens"
_MOST_LETTERS = 200_000  # of texts that are read for one question
_KEY = "(SELECT key FROM documents WHERE id = ?)"


def listed(database: sqlite3.Connection, condition: str = "TRUE", *values: object) -> list[StoredDocument]:
    """Return the documents that a condition holds for, newest first."""
    rows = database.execute(
        f"SELECT {_FACTS}, {_IN} FROM documents WHERE {condition} ORDER BY added DESC, key DESC", values
    )
    return [_document(*row) for row in rows]


def found(database: sqlite3.Connection, id: str) -> StoredDocument | None:
    """Return the document with an id, if there is one."""
    return next(iter(listed(database, "id = ?", id)), None)


def found_first(database: sqlite3.Connection, ids: Iterable[str]) -> StoredDocument | None:
    """Return the document with the first of several ids that there is, if any."""
    return next(filter(None, (found(database, id) for id in ids)), None)


def existing(database: sqlite3.Connection, id: str) -> StoredDocument:
    """Return the document with an id.

    Raises:
        DocumentError: There is none.
    """
    if (document := found(database, id)) is None:
        raise DocumentError(f"document {shown(id)} is not in the library (any more): see `thoth docs list`")
    return document


def insert(database: sqlite3.Connection, stored: StoredDocument, document: Document, chunks: Sequence[Chunk]) -> None:
    """Add a document, its text and its chunks."""
    key = database.execute(
        f"INSERT INTO documents ({_FACTS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            stored.id,
            stored.name,
            None,
            stored.bundle,
            stored.chunking,
            stored.active,
            stored.pages,
            stored.chunks,
            stored.absorbed,
            stored.tokens,
            stored.bytes,
            stored.added.timestamp(),
            stored.of_chat,
            stored.loss,
            stored.readable,
        ),
    ).lastrowid
    set_source(database, stored.id, stored.source, document.stamp)
    database.execute("INSERT INTO texts VALUES (?, ?, ?)", (key, document.text, _packed(document.blocks)))
    tables = contents(document)
    for number, chunk in enumerate(chunks):
        first, last = chunk.pages or (None, None)
        place = database.execute(
            f"INSERT INTO chunks (document, {_PLACE}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, number, first, last, json.dumps(chunk.headings), chunk.start, len(chunk.ids)),
        ).lastrowid
        database.execute("INSERT INTO chunk_texts VALUES (?, ?)", (place, chunk.text))
        database.execute(
            "INSERT INTO search_texts VALUES (?, ?)",
            (place, search_text(without_contents(chunk.text, chunk.start, tables))),
        )


def stamp(database: sqlite3.Connection, id: str) -> Stamp | None:
    """Return the version of the file that a document was read from, if it is known."""
    row = database.execute("SELECT stamp FROM documents WHERE id = ?", (id,)).fetchone()
    return Stamp.from_json(row[0]) if row and row[0] else None


def set_source(database: sqlite3.Connection, id: str, source: str | None, stamp: Stamp | None) -> None:
    """Say where a document was read from, and which version of the file that was."""
    # The name of a file may be no UTF-8, and must come back as it was.
    place = None if source is None else source.encode(errors="surrogateescape")
    update(database, [id], source=place, stamp=None if stamp is None else stamp.to_json())


def delete(database: sqlite3.Connection, id: str) -> None:
    """Delete a document and everything that belongs to it, its words in the word index too."""
    if found(database, id) is None:
        return
    # The index only marks words as deleted and keeps them until it merges, unless it is told otherwise.
    at_once = sqlite3.sqlite_version_info >= (3, 42)
    if at_once:
        database.execute("INSERT INTO chunk_words (chunk_words, rank) VALUES ('secure-delete', 1)")
    database.execute("DELETE FROM documents WHERE id = ?", (id,))
    if not at_once:
        database.execute("INSERT INTO chunk_words (chunk_words) VALUES ('optimize')")


def update(database: sqlite3.Connection, ids: Collection[str], **changes: object) -> None:
    """Change columns of documents."""
    columns = ", ".join(f"{column} = ?" for column in changes)
    chosen = "id IN (SELECT value FROM json_each(?))"
    database.execute(f"UPDATE documents SET {columns} WHERE {chosen}", (*changes.values(), json.dumps([*ids])))


def document(database: sqlite3.Connection, id: str) -> Document:
    """Return a document with its text."""
    stored = existing(database, id)
    row = database.execute(f"SELECT text, blocks FROM texts WHERE document = {_KEY}", (id,)).fetchone()
    if row is None:
        raise DocumentError(
            f"the text of {stored.name} is missing from the library: remove it and absorb its file again"
        )
    return Document(stored.name, row[0], stored.pages, _unpacked(row[1]))


def chunks(database: sqlite3.Connection, id: str, number: int | None = None) -> list[StoredChunk]:
    """Return the chunks of a document in order, or the one with a number."""
    condition, values = ("", ()) if number is None else ("AND number = ?", (number,))
    rows = database.execute(
        f"SELECT {_PLACE}, text FROM chunks JOIN chunk_texts ON chunk = key"
        f" WHERE document = {_KEY} {condition} ORDER BY number",
        (id, *values),
    )
    return [_chunk(id, *row) for row in rows]


def questions(database: sqlite3.Connection, id: str) -> tuple[str, ...] | None:
    """Return the questions that were written for a document; None before that."""
    row = database.execute(f"SELECT questions FROM questions WHERE document = {_KEY}", (id,)).fetchone()
    return None if row is None else tuple(json.loads(row[0]))


def set_questions(database: sqlite3.Connection, id: str, questions: Iterable[str]) -> None:
    """Keep the questions that were written for a document."""
    database.execute(f"INSERT OR REPLACE INTO questions VALUES ({_KEY}, ?)", (id, json.dumps([*questions])))


def search_texts(database: sqlite3.Connection, keys: Iterable[int]) -> list[str]:
    """Return texts of chunks as `search_text` spells them, in the order of their keys; no more than are soon read."""
    texts: list[str] = []
    letters = 0
    for key in keys:
        (text,) = database.execute("SELECT text FROM search_texts WHERE chunk = ?", (key,)).fetchone()
        letters += len(text)
        if texts and letters > _MOST_LETTERS:
            break
        texts.append(text)
    return texts


def missing(database: sqlite3.Connection, id: str) -> dict[int, int]:
    """Return the chunks of a document that are not absorbed: number -> key."""
    rows = database.execute(
        f"SELECT number, key FROM chunks WHERE document = {_KEY} AND key NOT IN (SELECT chunk FROM adapters)"
        " ORDER BY number",
        (id,),
    )
    return dict(rows.fetchall())


def update_sums(database: sqlite3.Connection, id: str) -> None:
    """Bring a document's sums up to date with its adapters."""
    database.execute(
        """UPDATE documents SET (absorbed, bytes) = (
            SELECT count(*), coalesce(sum(adapters.bytes), 0) FROM adapters JOIN chunks ON chunks.key = chunk
            WHERE document = documents.key
        ) WHERE id = ?""",
        (id,),
    )


def receipt(database: sqlite3.Connection, ref: ChunkRef) -> Receipt:
    """Return the receipt for a chunk's file.

    Raises:
        DocumentError: The chunk is not absorbed.
    """
    return Receipt(*_of_absorbed(database, "adapters", "adapters.bytes, sha256", ref))


def features(database: sqlite3.Connection, ref: ChunkRef) -> NDArray[np.float32]:
    """Return the features of a chunk, (D,).

    Raises:
        DocumentError: The chunk is not absorbed.
    """
    import numpy as np

    (vector,) = _of_absorbed(database, "features", "vector", ref)
    return np.frombuffer(vector, "<f4")


def marks(database: sqlite3.Connection, ref: ChunkRef) -> Marks | None:
    """Return what a matcher compares a question with; None where the chunk's bundle had no matcher.

    Raises:
        DocumentError: The chunk is not absorbed.
    """
    import numpy as np

    from mlx_hypernet.marks import Marks

    _of_absorbed(database, "adapters", "1", ref)
    row = database.execute(
        f"SELECT words, marks.tokens FROM marks JOIN chunks ON key = chunk WHERE document = {_KEY} AND number = ?", ref
    ).fetchone()
    if row is None:
        return None
    words = np.frombuffer(row[0], "<i4")
    return Marks(words, np.frombuffer(row[1], "<f2").reshape(len(words), -1))


def _of_absorbed(database: sqlite3.Connection, table: str, columns: str, ref: ChunkRef) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = database.execute(
        f"SELECT {columns} FROM {table} JOIN chunks ON key = chunk WHERE document = {_KEY} AND number = ?", ref
    ).fetchone()
    if row is None:
        stored = existing(database, ref.document)
        remedy = f"`thoth docs update {stored.id}` resumes it"
        raise DocumentError(f"chunk {ref.number + 1} of {stored.name} is not absorbed: {remedy}")
    return row


def insert_adapter(
    database: sqlite3.Connection, key: int, receipt: Receipt, features: NDArray[Any], marks: Marks | None
) -> None:
    """Note that the chunk with a key is absorbed; features: (D,)."""
    database.execute("INSERT INTO adapters VALUES (?, ?, ?)", (key, receipt.size, receipt.sha256))
    database.execute("INSERT INTO features VALUES (?, ?)", (key, features.astype("<f4").tobytes()))
    if marks is not None:
        packed = marks.words.astype("<i4").tobytes(), marks.tokens.astype("<f2").tobytes()
        database.execute("INSERT INTO marks VALUES (?, ?, ?)", (key, *packed))


def forget_adapter(database: sqlite3.Connection, ref: ChunkRef) -> None:
    """Note that a chunk is not absorbed."""
    chosen = f"SELECT key FROM chunks WHERE document = {_KEY} AND number = ?"
    database.execute(f"DELETE FROM adapters WHERE chunk = ({chosen})", ref)
    update_sums(database, ref.document)


def bias(database: sqlite3.Connection, bundle: str) -> Receipt | None:
    """Return the receipt for the file of a bundle's bias pairs, if it was written."""
    row = database.execute("SELECT bytes, sha256 FROM biases WHERE bundle = ?", (bundle,)).fetchone()
    return Receipt(*row) if row else None


def insert_bias(database: sqlite3.Connection, bundle: str, receipt: Receipt) -> None:
    """Note that the bias pairs of a bundle were written."""
    database.execute("INSERT INTO biases VALUES (?, ?, ?)", (bundle, receipt.size, receipt.sha256))


def delete_bias(database: sqlite3.Connection, bundle: str) -> None:
    """Note that the bias pairs of a bundle are not there."""
    database.execute("DELETE FROM biases WHERE bundle = ?", (bundle,))


def forget_bias(database: sqlite3.Connection, bundle: str) -> str:
    """Note that the bias pairs of a bundle must be written again, which happens when any chunk is absorbed.

    Returns the id of a document that lacks a chunk; where none does, one chunk counts as missing from now on.
    """
    delete_bias(database, bundle)
    if incomplete := listed(database, "bundle = ? AND absorbed < chunks", bundle):
        return incomplete[0].id
    last = listed(database, "bundle = ?", bundle)[0]
    forget_adapter(database, ChunkRef(last.id, last.chunks - 1))
    return last.id


def revision(database: sqlite3.Connection) -> int:
    """Return how often the library was changed."""
    return int(database.execute("SELECT revision FROM library").fetchone()[0])


def _document(
    id: str,
    name: str,
    source: bytes | None,
    bundle: str,
    chunking: str,
    active: int,
    pages: int | None,
    chunks: int,
    absorbed: int,
    tokens: int,
    bytes: int,
    added: float,
    of_chat: int,
    loss: float | None,
    readable: int | None,
    collections: str,
) -> StoredDocument:
    return StoredDocument(
        id,
        name,
        None if source is None else source.decode(errors="surrogateescape"),
        bundle,
        chunking,
        absorbed == chunks,
        bool(active),
        pages,
        chunks,
        absorbed,
        tokens,
        bytes,
        datetime.fromtimestamp(added, UTC),
        bool(of_chat),
        loss,
        None if readable is None else bool(readable),
        tuple(sorted(json.loads(collections))),
    )


def _chunk(
    id: str,
    number: int,
    first_page: int | None,
    last_page: int | None,
    headings: str,
    start: int,
    tokens: int,
    text: str,
) -> StoredChunk:
    pages = None if first_page is None or last_page is None else (first_page, last_page)
    return StoredChunk(ChunkRef(id, number), text, pages, tuple(json.loads(headings)), start, tokens)


def _packed(blocks: Iterable[Block]) -> str:
    """Write blocks as JSON, the headings they share once."""
    paths: dict[tuple[str, ...], int] = {}
    rows: list[list[Any]] = [
        [block.kind, block.start, block.end, paths.setdefault(block.headings, len(paths)), block.page]
        for block in blocks
    ]
    return json.dumps({"headings": [*paths], "blocks": rows})


def _unpacked(packed: str) -> tuple[Block, ...]:
    data = json.loads(packed)
    paths = [tuple(path) for path in data["headings"]]
    return tuple(Block(kind, start, end, paths[path], page) for kind, start, end, path, page in data["blocks"])
