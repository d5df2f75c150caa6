"""The tables of the library's database; see `thoth.system.sqlite.Schema` for how they are migrated."""

from __future__ import annotations

import sqlite3

from thoth.library.search_text import TOKENIZER, search_text
from thoth.system.sqlite import Schema

_APPLICATION = int.from_bytes(b"THTH")  # tells a library from other people's databases

_FIRST = (
    f"PRAGMA application_id = {_APPLICATION}",
    "CREATE TABLE library (revision INTEGER NOT NULL)",
    "INSERT INTO library VALUES (0)",
    # A listing reads this table alone, so it holds sums over the others and none of their bulk.
    """CREATE TABLE documents (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        source BLOB,
        bundle TEXT NOT NULL,
        chunking TEXT NOT NULL,
        active INTEGER NOT NULL,
        pages INTEGER,
        chunks INTEGER NOT NULL,
        absorbed INTEGER NOT NULL DEFAULT 0,
        tokens INTEGER NOT NULL,
        bytes INTEGER NOT NULL DEFAULT 0,
        added REAL NOT NULL
    )""",
    "CREATE INDEX documents_by_name ON documents (name)",
    """CREATE TABLE texts (
        document INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
        text TEXT NOT NULL,
        blocks TEXT NOT NULL
    )""",
    # Keys ascend with document and number. What many rows are read of at once is kept apart from what is long.
    """CREATE TABLE chunks (
        key INTEGER PRIMARY KEY,
        document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
        number INTEGER NOT NULL,
        first_page INTEGER,
        last_page INTEGER,
        headings TEXT NOT NULL,
        start INTEGER NOT NULL,
        tokens INTEGER NOT NULL,
        UNIQUE (document, number)
    )""",
    "CREATE TABLE chunk_texts (chunk INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE, text TEXT NOT NULL)",
    # A row stands for a file that was written whole: the chunk is absorbed.
    """CREATE TABLE adapters (
        chunk INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE,
        bytes INTEGER NOT NULL,
        sha256 BLOB NOT NULL
    )""",
    "CREATE TABLE features (chunk INTEGER PRIMARY KEY REFERENCES adapters ON DELETE CASCADE, vector BLOB NOT NULL)",
    "CREATE TABLE biases (bundle TEXT PRIMARY KEY, bytes INTEGER NOT NULL, sha256 BLOB NOT NULL)",
    # The index keeps no text of its own, so it must be told what to forget.
    f"""CREATE VIRTUAL TABLE chunk_words
        USING fts5 (text, content=chunk_texts, content_rowid=chunk, tokenize='{TOKENIZER}')""",
    "CREATE VIRTUAL TABLE word_counts USING fts5vocab (chunk_words, row)",
    "CREATE VIRTUAL TABLE word_places USING fts5vocab (chunk_words, instance)",
    """CREATE TRIGGER text_added AFTER INSERT ON chunk_texts BEGIN
        INSERT INTO chunk_words (rowid, text) VALUES (new.chunk, new.text);
    END""",
    """CREATE TRIGGER text_removed AFTER DELETE ON chunk_texts BEGIN
        INSERT INTO chunk_words (chunk_words, rowid, text) VALUES ('delete', old.chunk, old.text);
    END""",
)

# The index holds texts as `search_text` spells them: without spaces, Chinese is one long word, and "ß" is no "ss".
_SECOND = (
    "DROP TRIGGER text_added",
    "DROP TRIGGER text_removed",
    "DROP TABLE word_counts",
    "DROP TABLE word_places",
    "DROP TABLE chunk_words",
    """CREATE TABLE search_texts (
        chunk INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE,
        text TEXT NOT NULL
    )""",
    "INSERT INTO search_texts SELECT chunk, search_text(text) FROM chunk_texts",
    f"""CREATE VIRTUAL TABLE chunk_words
        USING fts5 (text, content=search_texts, content_rowid=chunk, tokenize='{TOKENIZER}')""",
    "INSERT INTO chunk_words (chunk_words) VALUES ('rebuild')",
    "CREATE VIRTUAL TABLE word_counts USING fts5vocab (chunk_words, row)",
    "CREATE VIRTUAL TABLE word_places USING fts5vocab (chunk_words, instance)",
    """CREATE TRIGGER text_added AFTER INSERT ON search_texts BEGIN
        INSERT INTO chunk_words (rowid, text) VALUES (new.chunk, new.text);
    END""",
    """CREATE TRIGGER text_removed AFTER DELETE ON search_texts BEGIN
        INSERT INTO chunk_words (chunk_words, rowid, text) VALUES ('delete', old.chunk, old.text);
    END""",
)

# Documents that were absorbed for a chat: results of tools, older turns.
_THIRD = ("ALTER TABLE documents ADD COLUMN of_chat INTEGER NOT NULL DEFAULT 0",)

# The version of the file that a document was read from (`thoth.ingest.stamps`), as JSON.
_FOURTH = ("ALTER TABLE documents ADD COLUMN stamp TEXT",)

# How well the pair's base reads the document: nats a token, and whether that is what it reads otherwise.
_FIFTH = ("ALTER TABLE documents ADD COLUMN loss REAL", "ALTER TABLE documents ADD COLUMN readable INTEGER")

# Collections: which documents are in which, by name. A listing asks for those of a document, in the order of this key.
_SIXTH = (
    """CREATE TABLE members (
        collection TEXT NOT NULL COLLATE NOCASE,
        document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
        PRIMARY KEY (document, collection)
    ) WITHOUT ROWID""",
    "CREATE INDEX members_by_collection ON members (collection)",
)

# Questions that a document answers, as a JSON list: written by a base, and tried.
_SEVENTH = (
    """CREATE TABLE questions (
        document INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
        questions TEXT NOT NULL
    )""",
)

# What a pair's matcher compares a question with: a number for the word of each token, and what it made of each.
_EIGHTH = (
    """CREATE TABLE marks (
        chunk INTEGER PRIMARY KEY REFERENCES adapters ON DELETE CASCADE,
        words BLOB NOT NULL,
        tokens BLOB NOT NULL
    )""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH, _SEVENTH, _EIGHTH)


def _prepare(database: sqlite3.Connection) -> None:
    database.create_function("search_text", 1, search_text, deterministic=True)


SCHEMA = Schema(
    contents="library",
    without="absorb the documents again",
    table="documents",
    steps=MIGRATIONS,
    application_id=_APPLICATION,
    on_change="UPDATE library SET revision = revision + 1",
    prepare=_prepare,
)
