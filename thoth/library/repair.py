"""Repairing a library: what crashes and broken disks leave is removed, what is damaged is absorbed again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from thoth.errors import DocumentError
from thoth.library import adapters, queries
from thoth.library.adapters import AdapterFiles
from thoth.library.records import ChunkRef, Receipt, StoredDocument, document_ids
from thoth.system.sqlite import Database, unfinished

_ADAPTERS = """SELECT id, number, adapters.bytes, sha256
    FROM adapters JOIN chunks ON chunks.key = chunk JOIN documents ON documents.key = document"""


def repair(database: Database, files: AdapterFiles) -> list[str]:
    """Bring database and files into agreement; returns what was done, a line each.

    Nobody can write meanwhile, so a file without a row is nobody's.

    Raises:
        ThothError: The database is damaged; nothing was changed.
    """
    if not database.path.parent.exists():
        return []
    with database.writing() as connection:
        ids = [document.id for document in queries.listed(connection)]
        done = [*_word_index(connection)]
        done += [f"dropped {damage.path}, which is damaged" for damage in forget_damaged(connection, files, ids)]
        done += [
            f"removed {path}, which belongs to nothing" for path in _orphans(connection, files, database.path.parent)
        ]
    return done


def _word_index(connection: sqlite3.Connection) -> Iterator[str]:
    try:
        connection.execute("INSERT INTO chunk_words (chunk_words, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_CORRUPT_VTAB:
            raise
        connection.execute("INSERT INTO chunk_words (chunk_words) VALUES ('rebuild')")
        yield "rebuilt the word index"


@dataclass(frozen=True)
class Damage:
    """A file of adapters that is missing or not what was written.

    Attributes:
        path: the file.
        document: id of a document that needs it.
        number: of the chunk, or None for the pairs that all documents of a bundle share.
        bundle: id of the bundle, for those; else empty.
    """

    path: Path
    document: str
    number: int | None
    bundle: str = ""


def damaged(connection: sqlite3.Connection, files: AdapterFiles, documents: Collection[str]) -> Iterator[Damage]:
    """Compare the files of documents, and those that they share, with their checksums; every byte is read."""
    ids = json.dumps([*documents])
    biases = """SELECT documents.bundle, max(id), biases.bytes, sha256 FROM documents LEFT JOIN biases USING (bundle)
        WHERE absorbed > 0 AND id IN (SELECT value FROM json_each(?)) GROUP BY documents.bundle"""
    for bundle, id, *expected in connection.execute(biases, (ids,)).fetchall():
        if not _intact(files.bias_path(bundle), Receipt(*expected)):
            yield Damage(files.bias_path(bundle), id, None, bundle)
    for id, number, *expected in connection.execute(
        f"{_ADAPTERS} WHERE id IN (SELECT value FROM json_each(?))", (ids,)
    ).fetchall():
        path = files.path(ChunkRef(id, number))
        if not _intact(path, Receipt(*expected)):
            yield Damage(path, id, number)


def forget_damaged(connection: sqlite3.Connection, files: AdapterFiles, documents: Collection[str]) -> list[Damage]:
    """Forget the files of documents that are not what was written, so that their chunks are absorbed again.

    The caller holds the write lock.

    Returns:
        The files; the document of one that all share is the one with a chunk to absorb again.
    """
    found = []
    for damage in [*damaged(connection, files, documents)]:
        if damage.number is None:
            found.append(replace(damage, document=queries.forget_bias(connection, damage.bundle)))
        else:
            queries.forget_adapter(connection, ChunkRef(damage.document, damage.number))
            found.append(damage)
    return found


def spoiled_texts(connection: sqlite3.Connection) -> Iterator[StoredDocument]:
    """Return the documents whose stored text is missing or another one than their ids stand for."""
    for stored in queries.listed(connection):
        try:
            text = queries.document(connection, stored.id)
        except DocumentError:
            yield stored
            continue
        if stored.id not in document_ids(text.sha256, stored.bundle, stored.chunking):
            yield stored


def _intact(path: Path, expected: Receipt) -> bool:
    try:
        return adapters.receipt(path) == expected
    except OSError:
        return False


def _orphans(connection: sqlite3.Connection, files: AdapterFiles, home: Path) -> Iterator[Path]:
    """Remove the files that have no row, one after the other."""
    known = {files.path(ChunkRef(id, number)) for id, number, *_ in connection.execute(_ADAPTERS)}
    folders = {path.parent for path in known}
    for (bundle,) in connection.execute("SELECT bundle FROM biases").fetchall():
        if queries.listed(connection, "bundle = ?", bundle):
            known.add(files.bias_path(bundle))
        else:
            queries.delete_bias(connection, bundle)
    inside = [path for folder in files.folder.glob("*/") for path in folder.iterdir()]
    for path in sorted([*files.folder.glob("*"), *inside, *unfinished(home)]):
        inside_kept = path.parent in folders or path.parent in (files.folder, home)
        if path not in known and path not in folders and inside_kept:
            _remove(path)
            yield path


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
