"""Connections to a SQLite file: as usual, and where SQLite cannot make the files that it keeps beside a database.

In WAL mode even a reader needs an index beside the database (`-shm`, 32 KB), which SQLite cannot create on a read-only
disk or on a full one. Each way here was tried with SQLite 3.40 on a tmpfs, read-only and full, with a log and without.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

# A writer may hold the lock for as long as a batch of adapters takes to reach a slow disk.
PATIENCE_SECONDS = 30.0


def usual(path: Path) -> sqlite3.Connection:
    """Connect to a database whose folder can be written."""
    return _connect(path)


def frozen(path: Path) -> sqlite3.Connection:
    """Connect to read only, and write nothing, not even beside the database.

    The connection sees the database as it is now: close it soon.
    """
    log = Path(f"{path}-wal")
    if log.exists() and log.stat().st_size:
        # Only a connection that is alone keeps the index in memory, and a read-only disk has no locks to be alone with.
        return _connect(path, "?mode=ro&vfs=unix-none", is_alone=True)
    return _connect(path, "?immutable=1")


def alone(path: Path) -> sqlite3.Connection:
    """Connect as the only user of a database: its index is in memory, so that a full disk can be written to."""
    return _connect(path, is_alone=True)


def in_memory(original: sqlite3.Connection | None = None) -> sqlite3.Connection:
    """Return an empty database in memory, or a copy of another one."""
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    if original is not None:
        original.backup(database)
    return database


def _connect(path: Path, options: str = "", *, is_alone: bool = False) -> sqlite3.Connection:
    # Transactions are begun by hand, and one thread after the other may use the connection.
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}{options}",
        uri=True,
        timeout=PATIENCE_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        if is_alone:  # before anything is read
            database.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
            database.execute("PRAGMA temp_store = MEMORY")
        database.execute("PRAGMA foreign_keys = ON")
        # What was reported done survives a power failure too: one sync for each change.
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA fullfsync = ON")  # macOS: a plain fsync stops at the drive's own memory
        database.execute("PRAGMA secure_delete = ON")  # deleted text is overwritten with zeros
    except BaseException:
        database.close()  # it may hold a lock
        raise
    return database
