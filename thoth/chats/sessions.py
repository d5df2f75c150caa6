"""Conversations on disk: `<home>/sessions.db`. A question is stored when it is sent, an answer while it is generated.

Any method may be called from any thread. Reading where nothing was stored returns nothing and creates nothing.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from thoth.errors import DocumentError
from thoth.events import Chosen, Passage, Stats, Step
from thoth.ingest.names import shown
from thoth.system.spelling import fold
from thoth.system.sqlite import Database, Schema

State = Literal["answering", "done", "stopped", "failed"]

_TITLE_LENGTH = 60
_PREFIX_DIGITS = 4
_FACTS = "id, title, created, updated, documents, system"
_COUNT = "(SELECT count(*) FROM turn WHERE session = s.id)"
_TURN = "number, question, answer, state, error, stats, sources, asked, steps, model"
_FIRST = (
    """CREATE TABLE session (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        created TEXT NOT NULL,
        updated TEXT NOT NULL,
        documents TEXT NOT NULL -- JSON: ids of the active ones
    )""",
    """CREATE TABLE turn (
        session TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        question TEXT NOT NULL,
        answer TEXT NOT NULL,
        state TEXT NOT NULL,
        error TEXT,
        stats TEXT, -- JSON
        sources TEXT NOT NULL, -- JSON
        asked TEXT NOT NULL,
        PRIMARY KEY (session, number)
    ) WITHOUT ROWID""",
)

# Steps of the agent, and documents that were absorbed for one chat and go with it.
_SECOND = (
    "ALTER TABLE turn ADD COLUMN steps TEXT NOT NULL DEFAULT '[]'",  # JSON
    """CREATE TABLE chat_document (
        session TEXT NOT NULL,
        document TEXT NOT NULL, -- id in the library; it may be gone, or not absorbed yet
        kind TEXT NOT NULL,
        PRIMARY KEY (session, document)
    ) WITHOUT ROWID""",
)

# A chat has a system prompt of its own, and each answer the name of the pair that gave it.
_THIRD = ("ALTER TABLE session ADD COLUMN system TEXT", "ALTER TABLE turn ADD COLUMN model TEXT")


def _prepare(database: sqlite3.Connection) -> None:
    database.create_function("folded", 1, fold, deterministic=True)


_SCHEMA = Schema(
    "collection of chats", "begin new ones", table="session", steps=(_FIRST, _SECOND, _THIRD), prepare=_prepare
)


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Turn:
    """A question and what became of it.

    Attributes:
        number: its place in the session, from 0.
        question: as it was sent.
        answer: the text, or as much of it as there is.
        state: "answering" only while it is being answered.
        error: why there is none, where it failed.
        stats: what it cost, where it was answered to its end.
        sources: passages that support it.
        asked: UTC.
        steps: tool calls of the agent, in order.
        model: name of the pair that was asked; None in chats of Thoth 0.1.
    """

    number: int
    question: str
    answer: str = ""
    state: State = "answering"
    error: str | None = None
    stats: Stats | None = None
    sources: tuple[Passage, ...] = ()
    asked: datetime = field(default_factory=now)
    steps: tuple[Step, ...] = ()
    model: str | None = None

    def with_step(self, step: Step) -> Turn:
        """Return the turn with a step added, or in the place of the one with its number."""
        return replace(self, steps=(*self.steps[: step.number], step))

    def steps_stopped(self) -> tuple[Step, ...]:
        """Return the steps with those that had not ended as stopped."""
        return tuple(step if step.ended else replace(step, state="stopped") for step in self.steps)


@dataclass(frozen=True)
class Session:
    """A conversation, without its turns.

    Attributes:
        id: 32 hex digits.
        title: the first question, until it is renamed.
        created: UTC.
        updated: when anything was last said in it, UTC.
        documents: ids of the documents that were active.
        turns: how many there are.
        system: its system prompt; None: as the settings say.
    """

    id: str
    title: str
    created: datetime
    updated: datetime
    documents: tuple[str, ...] = ()
    turns: int = 0
    system: str | None = None


class Sessions:
    """All conversations of one home."""

    def __init__(self, home: Path) -> None:
        self._database = Database(home / "sessions.db", _SCHEMA)
        # Where the turns that were read or stored here are on disk, by session and number: what another process has
        # stored meanwhile under the number of a new one is not replaced.
        self._places: dict[tuple[str, int], int] = {}

    @staticmethod
    def create(question: str, documents: Collection[str] = ()) -> Session:
        """Begin a session with its first question as the title; it is stored with its first turn."""
        title = " ".join(question.split())
        if len(title) > _TITLE_LENGTH:
            title = title[: _TITLE_LENGTH - 1].rstrip() + "…"
        return Session(uuid.uuid4().hex, title, now(), now(), tuple(documents))

    def put(self, session: Session, turn: Turn) -> None:
        """Store a turn, in place of the one with its number; durable on return.

        A new turn comes after those that another process has added meanwhile.
        """
        stats = json.dumps(asdict(turn.stats)) if turn.stats else None
        sources = json.dumps([asdict(passage) for passage in turn.sources])
        steps = json.dumps([asdict(step) for step in turn.steps])
        with self._database.writing() as connection:
            connection.execute(
                f"INSERT INTO session ({_FACTS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "updated = excluded.updated, documents = excluded.documents, system = excluded.system",
                (
                    session.id,
                    _storable(session.title),
                    _text(session.created),
                    _text(now()),
                    json.dumps(session.documents),
                    None if session.system is None else _storable(session.system),
                ),
            )
            key = (session.id, turn.number)
            place = self._places.get(key)
            if place is None:
                query = "SELECT coalesce(max(number) + 1, 0) FROM turn WHERE session = ?"
                (after,) = connection.execute(query, [session.id]).fetchone()
                place = max(turn.number, after)
            connection.execute(
                f"INSERT OR REPLACE INTO turn (session, {_TURN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    session.id,
                    place,
                    _storable(turn.question),
                    _storable(turn.answer),
                    turn.state,
                    None if turn.error is None else _storable(turn.error),
                    stats,
                    sources,
                    _text(turn.asked),
                    steps,
                    None if turn.model is None else _storable(turn.model),
                ),
            )
        self._places[key] = place

    def find(self, query: str = "") -> list[Session]:
        """Return the sessions with all these words in title, questions or answers, the latest first."""
        words = fold(_storable(query)).split()
        wanted = " AND ".join(["instr(folded(text), ?)"] * len(words)) or "1"
        rows = self._read(
            f"SELECT {_FACTS}, {_COUNT} FROM session AS s WHERE ("
            "SELECT 1 FROM (SELECT s.title || char(10) || coalesce(group_concat(question || char(10) || answer, "
            f"char(10)), '') AS text FROM turn WHERE session = s.id) WHERE {wanted}) ORDER BY updated DESC, id",
            words,
        )
        return [_session(row) for row in rows]

    def get(self, id: str) -> Session:
        """Return a session.

        Raises:
            DocumentError: It is not there.
        """
        rows = self._read(f"SELECT {_FACTS}, {_COUNT} FROM session AS s WHERE id = ?", [id])
        if not rows:
            raise DocumentError("this session is gone: it was deleted")
        return _session(rows[0])

    def has(self, id: str) -> bool:
        """Tell whether a session is stored."""
        return bool(self._read("SELECT 1 FROM session WHERE id = ?", [id]))

    def named(self, name: str) -> Session:
        """Return the session with an id, with a title, or with an id that begins with these four or more digits.

        Raises:
            DocumentError: None or several are meant.
        """
        name = _storable(name)
        ways = ["id = ?", "title = ?", "substr(id, 1, length(?1)) = ?1"][: 3 if len(name) >= _PREFIX_DIGITS else 2]
        for way in ways:
            rows = self._read(f"SELECT {_FACTS}, {_COUNT} FROM session AS s WHERE {way} LIMIT 6", [name])
            if len(rows) == 1:
                return _session(rows[0])
            if rows:
                ids = ", ".join(row[0][:8] for row in rows[:5])
                raise DocumentError(f"'{shown(name)}' matches several chats; use an id ({ids})")
        raise DocumentError(f"no chat '{shown(name)}'; see `thoth chats list`")

    def last(self) -> Session | None:
        """Return the session in which something was said last."""
        rows = self._read(f"SELECT {_FACTS}, {_COUNT} FROM session AS s ORDER BY updated DESC, id LIMIT 1", [])
        return _session(rows[0]) if rows else None

    def turns(self, id: str) -> list[Turn]:
        """Return a session's turns in order; one that a killed process left unfinished counts as stopped."""
        rows = self._read(f"SELECT {_TURN} FROM turn WHERE session = ? ORDER BY number", [id])
        # Numbered again from 0: a chat that was deleted while another process answered in it lacks its first turns.
        turns = [replace(_turn(row), number=number) for number, row in enumerate(rows)]
        for turn, row in zip(turns, rows, strict=True):
            self._places.setdefault((id, turn.number), row[0])
        return [_ended(turn) if turn.state == "answering" else turn for turn in turns]

    def models(self) -> dict[str, list[str]]:
        """Return the names of the models that answered, by session."""
        rows = self._read("SELECT DISTINCT session, model FROM turn WHERE model IS NOT NULL ORDER BY model", [])
        models: dict[str, list[str]] = {}
        for session, model in rows:
            models.setdefault(session, []).append(model)
        return models

    def questions(self, limit: int = 200) -> list[str]:
        """Return the last questions of all sessions, oldest first, each once."""
        rows = self._read("SELECT question FROM turn GROUP BY question ORDER BY max(asked) DESC LIMIT ?", [limit])
        return [question for (question,) in reversed(rows)]

    def add_document(self, session: str, document: str, kind: str) -> None:
        """Note that a document belongs to a session; before it is absorbed, so that a crash leaves none behind.

        Args:
            session: id of the session, which may be stored later.
            document: id in the library.
            kind: what it holds: "result" of a tool, "turns" of the conversation, or "nothing" for a turn that
                left the context without becoming a document.
        """
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO chat_document VALUES (?, ?, ?)", (session, document, kind))

    def documents(self, session: str, kind: str | None = None) -> list[str]:
        """Return the ids of the documents that belong to a session, of one kind or all."""
        rows = self._read(
            "SELECT document FROM chat_document WHERE session = ?1 AND (?2 IS NULL OR kind = ?2)", [session, kind]
        )
        return [document for (document,) in rows]

    def alone(self, session: str) -> list[str]:
        """Return the ids of the documents that belong to this session and to no other."""
        rows = self._read(
            "SELECT document FROM chat_document WHERE session = ?1 AND document NOT IN "
            "(SELECT document FROM chat_document WHERE session <> ?1)",
            [session],
        )
        return [document for (document,) in rows]

    def rename(self, id: str, title: str) -> None:
        """Give a session another title."""
        with self._database.writing() as connection:
            connection.execute("UPDATE session SET title = ? WHERE id = ?", (_storable(title), id))

    def remove(self, id: str) -> None:
        """Delete a session with everything said in it; its documents are removed by `actions.chats.remove`."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM chat_document WHERE session = ?", (id,))
            connection.execute("DELETE FROM session WHERE id = ?", (id,))
        self._database.empty_log()

    def close(self) -> None:
        """Close the database; the next call opens it again."""
        self._database.close()

    def _read(self, query: str, values: Collection[Any]) -> list[tuple[Any, ...]]:
        with self._database.reading() as connection:
            return connection.execute(query, tuple(values)).fetchall()


def _session(row: tuple[Any, ...]) -> Session:
    id, title, created, updated, documents, system, turns = row
    return Session(
        id,
        title,
        datetime.fromisoformat(created),
        datetime.fromisoformat(updated),
        tuple(json.loads(documents)),
        turns,
        system,
    )


def _turn(row: tuple[Any, ...]) -> Turn:
    number, question, answer, state, error, stats, sources, asked, steps, model = row
    return Turn(
        number,
        question,
        answer,
        state,
        error,
        _stats(json.loads(stats)) if stats else None,
        tuple(Passage(**_tuples(passage)) for passage in json.loads(sources)),
        datetime.fromisoformat(asked),
        tuple(Step(**_tuples(step)) for step in json.loads(steps)),
        model,
    )


def _ended(turn: Turn) -> Turn:
    """Return a turn that a killed process left, as stopped."""
    return replace(turn, state="stopped", steps=turn.steps_stopped())


def _stats(values: dict[str, Any]) -> Stats:
    chunks = tuple(Chosen(**_tuples(chunk)) for chunk in values.pop("chunks", ()))
    return Stats(**values, chunks=chunks)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def _storable(text: str) -> str:
    """Return the text without lone surrogates, which no UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
