"""Collections: named sets of documents, as rows of the library's database; the caller holds the connection.

A collection is there as long as a document is in it. Its name is found in any case.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection

from thoth.errors import DocumentError, UsageError
from thoth.ingest.names import shown
from thoth.system.spelling import fold

_MOST_LETTERS = 60
# Documents of a collection, as a condition on their rows.
MEMBERS = "key IN (SELECT document FROM members WHERE collection = ?)"
_CHOSEN = "document IN (SELECT key FROM documents WHERE id IN (SELECT value FROM json_each(?)))"


def all(database: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the ids of the documents in each collection, by its name."""
    rows = database.execute(
        "SELECT collection, id FROM members JOIN documents ON key = document ORDER BY collection, added DESC, key DESC"
    )
    found: dict[str, list[str]] = {}
    for name, id in rows:
        found.setdefault(name, []).append(id)
    return found


def existing(database: sqlite3.Connection, name: str) -> str:
    """Return the name of a collection as it is stored.

    Raises:
        DocumentError: There is no such collection.
    """
    stored = _stored(database, shown(name.strip()))
    if stored is None:
        known = ", ".join(all(database))
        remedy = f"there are: {known}" if known else f"`thoth docs tag {shown(name)} DOCUMENT` makes one"
        raise DocumentError(f"there is no collection {shown(name)}; {remedy}")
    return stored


def add(database: sqlite3.Connection, name: str, ids: Collection[str]) -> str:
    """Put documents into a collection, which is made where there is none; returns its name.

    Raises:
        UsageError: The name is empty, too long, or not one line.
    """
    name = name.strip()
    if not name or len(name) > _MOST_LETTERS or shown(name) != name:
        raise UsageError(f"a collection needs a name of one line, {_MOST_LETTERS} letters at most")
    name = _stored(database, name) or name
    database.execute(
        "INSERT OR IGNORE INTO members SELECT ?, key FROM documents WHERE id IN (SELECT value FROM json_each(?))",
        (name, json.dumps([*ids])),
    )
    return name


def take(database: sqlite3.Connection, name: str, ids: Collection[str]) -> None:
    """Take documents out of a collection, all of them where none is named.

    Raises:
        DocumentError: There is no such collection.
    """
    name = existing(database, name)
    if ids:
        database.execute(f"DELETE FROM members WHERE collection = ? AND {_CHOSEN}", (name, json.dumps([*ids])))
    else:
        database.execute("DELETE FROM members WHERE collection = ?", (name,))


def copy(database: sqlite3.Connection, old: str, new: str) -> None:
    """Put a document into the collections that another one is in."""
    names = "SELECT collection FROM members WHERE document = (SELECT key FROM documents WHERE id = ?)"
    for (name,) in database.execute(names, (old,)).fetchall():
        add(database, name, [new])


def _stored(database: sqlite3.Connection, name: str) -> str | None:
    wanted = fold(name)  # SQLite's NOCASE knows only the letters of ASCII
    names = database.execute("SELECT DISTINCT collection FROM members ORDER BY collection <> ?", (name,))
    return next((str(known) for (known,) in names if fold(known) == wanted), None)
