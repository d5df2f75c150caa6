"""A SQLite database that threads and processes share: opening, migrating, writing durably, explaining damage.

Each user borrows a connection. A writer holds SQLite's one write lock from its first step to its last; readers see
the state before and never wait. What is deleted is overwritten, and only the user may read the file. A database
can be read where nothing can be written, and written on a disk that is full as far as its log finds room.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from weakref import finalize

from mlx_hypernet.format.atomic import flush
from thoth.errors import ThothError
from thoth.system import connecting, disk

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_UNREACHABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}
_FILES = ("", "-wal", "-shm")  # what SQLite keeps of one database


@dataclass(frozen=True)
class Schema:
    """What a database holds, as the steps that lead from one version to the next.

    The version is the number of steps taken. A step that people's databases have taken is never changed again.

    Attributes:
        contents: the word for it in messages: "library".
        without: what moving the file away costs, for the message about damage: "absorb the documents again".
        table: a table that the first step makes; a database without it was not made here.
        steps: the statements of each step.
        application_id: SQLite's mark for the program that owns a file; the first step sets it if it is not 0.
        on_change: a statement that runs in every transaction that changed something.
        prepare: called with each new connection, to add functions.
    """

    contents: str
    without: str
    table: str
    steps: tuple[tuple[str, ...], ...]
    application_id: int = 0
    on_change: str | None = None
    prepare: Callable[[sqlite3.Connection], None] = lambda _: None

    def is_ours(self, database: sqlite3.Connection) -> bool:
        """Return whether a database was made with this schema, in whatever version."""
        (found,) = database.execute("PRAGMA application_id").fetchone()
        tables = database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (self.table,))
        return bool(found == self.application_id and tables.fetchone())

    def migrate(self, database: sqlite3.Connection) -> None:
        """Take the missing steps, all or none of them, unless another process has just done so."""
        database.execute("BEGIN IMMEDIATE")
        for step in self.steps[version(database) :]:
            for statement in step:
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {len(self.steps)}")
        database.commit()


def version(database: sqlite3.Connection) -> int:
    """Return how many steps a database has taken."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


class Database:
    """One database file, created by its first writer; until then it reads as an empty one.

    `reading` and `writing` turn the errors of SQLite and of the disk into errors that say what to do: a database that
    is damaged (a copy is kept), newer than this program or unreachable is a `ThothError`, a full disk a
    `ResourceError`.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self._schema = schema
        self._idle: list[sqlite3.Connection] = []
        finalize(self, _close, self._idle)

    def close(self) -> None:
        """Close the unused connections."""
        _close(self._idle)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection to read with; all reads of one block see the same state."""
        with self._explained(), self._readable() as database:
            database.execute("BEGIN")
            yield database
            database.rollback()

    @contextmanager
    def writing(self, undo: Callable[[], None] = lambda: None) -> Iterator[sqlite3.Connection]:
        """Give a connection that holds the write lock; the block's changes take effect together at its end, or never.

        They are on the disk when the block is left: neither `kill -9` nor a power failure takes them back.

        Args:
            undo: called when the changes fail, to take back what was done to files.
        """
        with self._explained():
            if not self.path.exists():
                _create(self.path, self._schema)
            with self._lent(self._alone) as database:
                database.execute("BEGIN IMMEDIATE")
                before = database.total_changes
                try:
                    yield database
                    if self._schema.on_change and database.total_changes > before:
                        database.execute(self._schema.on_change)
                    database.commit()
                except BaseException:
                    undo()
                    raise

    def empty_log(self) -> None:
        """Move every change into the database file and empty the log, so that deleted text is in neither.

        A reader that holds an older state prevents it; the log is then emptied by a later call or at the end.
        """
        if self.path.exists():
            with self._explained(), self._lent(self._alone) as database:
                database.execute("PRAGMA busy_timeout = 0")
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                database.execute(f"PRAGMA busy_timeout = {int(connecting.PATIENCE_SECONDS * 1000)}")

    def _readable(self) -> AbstractContextManager[sqlite3.Connection]:
        if not self.path.exists():
            return closing(_empty(self._schema))
        return self._lent(lambda: _open_frozen(self.path, self._schema))

    def _alone(self) -> sqlite3.Connection:
        return _open(self.path, self._schema, connecting.alone)

    @contextmanager
    def _lent(self, otherwise: Callable[[], sqlite3.Connection]) -> Iterator[sqlite3.Connection]:
        """Lend a connection; one that was in use when something failed is closed, which rolls it back.

        Args:
            otherwise: opens another kind of connection, used once, where the usual kind cannot be opened.
        """
        keep = True
        try:
            database = self._idle.pop()
        except IndexError:
            try:
                database = _open(self.path, self._schema)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _UNREACHABLE:
                    raise
                database, keep = otherwise(), False
        try:
            yield database
        except BaseException:
            database.close()
            raise
        if keep:
            self._idle.append(database)
        else:
            database.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        folder = self.path.parent
        with disk.explained(folder):
            try:
                yield
            except sqlite3.Error as error:
                code = getattr(error, "sqlite_errorcode", 0)
                kind = code & 0xFF  # the other bits say more precisely where it happened
                if code == sqlite3.SQLITE_CORRUPT_VTAB:
                    remedy = "run `thoth doctor --repair` to rebuild it"
                    raise ThothError(f"the word index in {self.path} is damaged: {remedy}") from error
                if kind in _DAMAGED:
                    raise _damaged(self.path, self._schema, str(error)) from error
                if kind in _BUSY:
                    raise ThothError(
                        f"another Thoth keeps writing to {self.path}: try again when it is done"
                    ) from error
                if kind == sqlite3.SQLITE_FULL or (kind in _UNREACHABLE and disk.is_full(folder)):
                    raise disk.full(folder) from error
                if kind in _UNREACHABLE and disk.is_read_only(folder):
                    raise disk.read_only(folder) from error
                if kind in _UNREACHABLE:
                    remedy = "fix its permissions or set THOTH_HOME"
                    raise ThothError(f"cannot use {self.path} ({error}): {remedy}") from error
                raise


def unfinished(folder: Path) -> list[Path]:
    """Return the databases in a folder that a killed process had begun to create."""
    return sorted(folder.glob(".*-*.db*"))


def _damaged(path: Path, schema: Schema, why: str) -> ThothError:
    """Keep a copy of a damaged database, once, and return the error that explains it."""
    try:
        copy = f"a copy is kept as {_keep_copy(path).name}"
    except OSError as error:
        copy = f"it could not be copied ({error.strerror})"
    return ThothError(
        f"{path} is damaged ({why}) and was left unchanged; {copy}. Put a backup in its place, or move it away to "
        f"start with an empty {schema.contents} and {schema.without}"
    )


def _keep_copy(path: Path) -> Path:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    copy = path.with_name(f"{path.stem}-damaged-{digest[:8]}{path.suffix}")
    if not copy.exists():
        for ending in ("-wal", ""):  # the newest changes may still be in the log
            if (part := Path(f"{path}{ending}")).exists():
                with disk.new_private(Path(f"{copy}{ending}")) as target, part.open("rb") as source:
                    shutil.copyfileobj(source, target)
    return copy


def _create(path: Path, schema: Schema) -> None:
    """Create an empty database under another name first: a file of this name without tables in it has been damaged."""
    disk.make_private_folder(path.parent)
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex}{path.suffix}")
    try:
        disk.new_private(temporary).close()  # SQLite gives the files beside it the same mode
        with closing(connecting.usual(temporary)) as database:
            schema.prepare(database)
            database.execute("PRAGMA journal_mode = WAL")
            schema.migrate(database)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return  # another process was faster
        except OSError:  # a file system without links, where two processes must not begin at the same instant
            os.replace(temporary, path)
        flush(path.parent)
    finally:
        for ending in _FILES:
            Path(f"{temporary}{ending}").unlink(missing_ok=True)


def _open(
    path: Path, schema: Schema, connect: Callable[[Path], sqlite3.Connection] = connecting.usual
) -> sqlite3.Connection:
    _make_private(path)
    database = connect(path)
    try:
        if _is_older(database, path, schema):
            schema.migrate(database)
    except BaseException:
        database.close()
        raise
    return database


def _open_frozen(path: Path, schema: Schema) -> sqlite3.Connection:
    """Open a database where nothing can be written; an older one is brought up to date in memory."""
    database = connecting.frozen(path)
    try:
        if _is_older(database, path, schema):
            with closing(database):
                database = connecting.in_memory(database)
            schema.prepare(database)
            schema.migrate(database)
    except BaseException:
        database.close()
        raise
    return database


def _is_older(database: sqlite3.Connection, path: Path, schema: Schema) -> bool:
    """Prepare a connection, and return whether its database has steps to take.

    Raises:
        ThothError: It was not made with this schema, or with a newer one.
    """
    schema.prepare(database)
    if not schema.is_ours(database):
        raise _damaged(path, schema, f"it holds no {schema.contents}")
    found, newest = version(database), len(schema.steps)
    if found > newest:
        raise ThothError(f"{path} was written by a newer Thoth (version {found}, not {newest}): update Thoth")
    return found < newest


def _make_private(path: Path) -> None:
    """Take other users' access to a database away that an older Thoth gave them."""
    for ending in _FILES:
        file = Path(f"{path}{ending}")
        with suppress(OSError):  # another user's file, or none
            if (mode := file.stat().st_mode & 0o777) & 0o077:
                file.chmod(mode & 0o700)


def _empty(schema: Schema) -> sqlite3.Connection:
    database = connecting.in_memory()
    schema.prepare(database)
    schema.migrate(database)
    return database


def _close(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()
