"""A SQLite database that threads and processes share, and what goes wrong with one.

Connections are lent to one user at a time. A writer holds SQLite's one write lock from its first step to its last;
readers see the state before, and wait for nobody.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol
from weakref import finalize

from thoth.errors import ThothError
from thoth.system import disk

# A writer may hold the lock for as long as a batch of adapters takes to reach a slow disk.
_PATIENCE_SECONDS = 30.0

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_UNREACHABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}

UNFINISHED = ".library-"  # what a killed process can leave behind begins so


class Schema(Protocol):
    """What a database must hold; the module `thoth.library.schema` is one."""

    MIGRATIONS: tuple[tuple[str, ...], ...]

    def is_library(self, database: sqlite3.Connection) -> bool:
        """Return whether a database was made here."""

    def version(self, database: sqlite3.Connection) -> int:
        """Return how many steps a database has taken."""

    def migrate(self, database: sqlite3.Connection) -> None:
        """Take the steps that are missing."""


class Database:
    """One database file, made by its first writer; until then it reads as an empty one.

    `reading` and `writing` turn what SQLite and the disk report into errors that say what to do: a database that is
    damaged (a copy of it is kept), of a newer version or out of reach is a `ThothError`, a full disk a `ResourceError`.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self._schema = schema
        self._idle: list[sqlite3.Connection] = []
        finalize(self, _close, self._idle)

    def close(self) -> None:
        """Close what nobody uses just now."""
        _close(self._idle)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection to read with; all reads of one block see the same state."""
        with self._explained(), self._lent() if self.path.exists() else closing(_empty(self._schema)) as database:
            database.execute("BEGIN")
            yield database
            database.rollback()

    @contextmanager
    def writing(self, undo: Callable[[], None] = lambda: None) -> Iterator[sqlite3.Connection]:
        """Give a connection that holds the write lock; the block's changes come true together at its end, or never.

        They are on the disk when the block is left: neither `kill -9` nor a power failure takes them back.

        Args:
            undo: is called when they do not come true, to take back what was done to files.
        """
        with self._explained():
            if not self.path.exists():
                _create(self.path, self._schema)
            with self._lent() as database:
                database.execute("BEGIN IMMEDIATE")
                before = database.total_changes
                try:
                    yield database
                    if database.total_changes > before:
                        database.execute("UPDATE library SET revision = revision + 1")
                    database.commit()
                except BaseException:
                    undo()
                    raise

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection; one that was in use when something failed is closed, which rolls it back."""
        try:
            database = self._idle.pop()
        except IndexError:
            database = _open(self.path, self._schema)
        try:
            yield database
        except BaseException:
            database.close()
            raise
        self._idle.append(database)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        folder = self.path.parent
        with disk.explained(folder):
            try:
                yield
            except sqlite3.Error as error:
                code = getattr(error, "sqlite_errorcode", 0)
                kind = code & 0xFF  # the rest of a code says more precisely where it happened
                if code == sqlite3.SQLITE_CORRUPT_VTAB:
                    remedy = "run `thoth doctor --repair`, which makes it anew"
                    raise ThothError(f"the word index in {self.path} is damaged: {remedy}") from error
                if kind in _DAMAGED:
                    raise damaged(self.path, str(error)) from error
                if kind in _BUSY:
                    raise ThothError(
                        f"another Thoth keeps writing to {self.path}: try again when it is done"
                    ) from error
                if kind == sqlite3.SQLITE_FULL or (kind in _UNREACHABLE and disk.is_full(folder)):
                    raise disk.full(folder) from error
                if kind in _UNREACHABLE:
                    remedy = "mend its permissions or set THOTH_HOME"
                    raise ThothError(f"cannot use {self.path} ({error}): {remedy}") from error
                raise


def damaged(path: Path, why: str) -> ThothError:
    """Keep a copy of a damaged database, once, and return the error that explains it."""
    try:
        copy = f"a copy is kept as {_keep_copy(path).name}"
    except OSError as error:
        copy = f"it could not be copied ({error.strerror})"
    return ThothError(
        f"{path} is damaged ({why}) and was left as it is; {copy}. Put a backup in its place, or move it away to begin "
        "an empty library and absorb the documents again"
    )


def _keep_copy(path: Path) -> Path:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    copy = path.with_name(f"{path.stem}-damaged-{digest[:8]}{path.suffix}")
    if not copy.exists():
        for ending in ("-wal", ""):  # what was written last may still stand beside it
            if (part := Path(f"{path}{ending}")).exists():
                shutil.copyfile(part, f"{copy}{ending}")
    return copy


def _create(path: Path, schema: Schema) -> None:
    """Make an empty library under another name first: a file of this name without tables in it has been damaged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{UNFINISHED}{uuid.uuid4().hex}{path.suffix}")
    try:
        with closing(_connect(temporary)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            schema.migrate(database)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return  # another process was faster
        except OSError:  # a file system without links, where two processes must not begin at the same instant
            os.replace(temporary, path)
        disk.sync_folder(path.parent)
    finally:
        for ending in ("", "-wal", "-shm"):
            Path(f"{temporary}{ending}").unlink(missing_ok=True)


def _open(path: Path, schema: Schema) -> sqlite3.Connection:
    database = _connect(path)
    try:
        if not schema.is_library(database):
            raise damaged(path, "it holds no library")
        version, newest = schema.version(database), len(schema.MIGRATIONS)
        if version > newest:
            raise ThothError(f"{path} was written by a newer Thoth (version {version}, not {newest}): update Thoth")
        if version < newest:
            schema.migrate(database)
    except BaseException:
        database.close()
        raise
    return database


def _empty(schema: Schema) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(database)
    return database


def _connect(path: Path) -> sqlite3.Connection:
    # Transactions are begun by hand, and one thread after the other may use the connection.
    database = sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA foreign_keys = ON")
    # What was reported done survives a power failure too: one sync for each change.
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA fullfsync = ON")  # macOS: a plain fsync stops at the drive's own memory
    return database


def _close(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()
