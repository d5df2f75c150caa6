"""Texts -> the words of the index, by the index's own tokenizer."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

from thoth.library.search_text import TOKENIZER, search_text

# A question is no longer than this; of a book that someone pastes, the begin will do.
_MOST_LETTERS = 20_000


class Places(NamedTuple):
    """Where the words of a question stand.

    Attributes:
        question: its words, in their order.
        texts: of each text, (how many words come before it, word) for each of these words, in their order.
    """

    question: list[str]
    texts: list[list[tuple[int, str]]]


class Words:
    """Cuts texts into words with a database in memory that knows the tokenizer; from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._database: sqlite3.Connection | None = None

    def count(self, question: str) -> dict[str, int]:
        """Return how often each word stands in a question; any text will do."""
        with self._lock:
            database = self._filled([_spelled(question)])
            return dict(database.execute("SELECT term, cnt FROM counts").fetchall())

    def places(self, question: str, texts: Sequence[str]) -> Places:
        """Find the words of a question in texts that are spelled by `search_text`."""
        with self._lock:
            asked = self._filled([_spelled(question)]).execute("SELECT term FROM places ORDER BY offset").fetchall()
            words = [word for (word,) in asked]
            found: list[list[tuple[int, str]]] = [[] for _ in texts]
            database = self._filled(texts)
            for word in dict.fromkeys(words):
                for text, place in database.execute("SELECT doc, offset FROM places WHERE term = ?", (word,)):
                    found[text].append((place, word))
        return Places(words, [sorted(places) for places in found])

    def _filled(self, texts: Sequence[str]) -> sqlite3.Connection:
        """Return the database with these texts alone."""
        if self._database is None:
            self._database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._database.execute(f"CREATE VIRTUAL TABLE words USING fts5 (text, content='', tokenize='{TOKENIZER}')")
            self._database.execute("CREATE VIRTUAL TABLE counts USING fts5vocab (words, row)")
            self._database.execute("CREATE VIRTUAL TABLE places USING fts5vocab (words, instance)")
        self._database.execute("INSERT INTO words (words) VALUES ('delete-all')")
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", enumerate(texts))
        self._database.execute("COMMIT")
        return self._database


def _spelled(question: str) -> str:
    return search_text(question[:_MOST_LETTERS].encode(errors="replace").decode())
