"""Mending a library: what crashes and broken disks leave behind is removed, what is damaged is absorbed again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path

from thoth.library import adapters, queries
from thoth.library.adapters import AdapterFiles, Receipt
from thoth.library.records import ChunkRef
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
        done = [*_word_index(connection), *forget_damaged(connection, files, ids)]
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
        yield "made the word index anew"


def forget_damaged(connection: sqlite3.Connection, files: AdapterFiles, documents: Collection[str]) -> Iterator[str]:
    """Forget the files of documents that are not what was written, so that their chunks are absorbed again.

    The caller holds the write lock. Yields a line for each.
    """
    ids = json.dumps([*documents])
    biases = """SELECT DISTINCT documents.bundle, biases.bytes, sha256 FROM documents LEFT JOIN biases USING (bundle)
        WHERE absorbed > 0 AND id IN (SELECT value FROM json_each(?))"""
    for bundle, *expected in connection.execute(biases, (ids,)).fetchall():
        path = files.bias_path(bundle)
        if not _intact(path, Receipt(*expected)):
            id = queries.forget_bias(connection, bundle)
            yield f"{path} is damaged: `thoth docs update {id}` writes it anew"
    for id, number, *expected in connection.execute(
        f"{_ADAPTERS} WHERE id IN (SELECT value FROM json_each(?))", (ids,)
    ).fetchall():
        path = files.path(ChunkRef(id, number))
        if not _intact(path, Receipt(*expected)):
            queries.forget_adapter(connection, ChunkRef(id, number))
            yield f"{path} is damaged: `thoth docs update {id}` absorbs its chunk again"


def _intact(path: Path, expected: Receipt) -> bool:
    try:
        return adapters.receipt(path) == expected
    except OSError:
        return False


def _orphans(connection: sqlite3.Connection, files: AdapterFiles, home: Path) -> Iterator[Path]:
    """Remove the files that no row stands for, one after the other."""
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
