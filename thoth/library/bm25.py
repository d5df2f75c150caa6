"""Which chunks share words with a question: BM25 over the postings of SQLite's FTS5 index.

FTS5 cuts text into words and keeps, for each word, the chunks it stands in. Its own ranking is not used: it takes the
frequency of words from the whole library, where a question is about some documents, and gives nearly nothing to a
word that stands in half of the chunks, which within one short document is every other word.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from threading import Lock
from typing import TYPE_CHECKING

from thoth.library.records import ChunkRef
from thoth.library.schema import TOKENIZER
from thoth.library.scope import Scope
from thoth.library.search_text import search_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Robertson and Zaragoza, The Probabilistic Relevance Framework (2009): how soon a word that comes again adds nothing,
# and how much a long chunk pays for its length. FTS5 has the same two.
_K1, _B = 1.2, 0.75

# Places that are looked at for one question, rarest words first: about 0.02 s. Words that are left out are as common
# as "the" in a large library, and weigh nothing.
_MOST_PLACES = 100_000

# A question is no longer than this; of a book that someone pastes, the begin will do.
_MOST_LETTERS = 20_000


class Words:
    """Cuts a question into the words of the index, by the index's own tokenizer; from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._database: sqlite3.Connection | None = None

    def count(self, text: str) -> dict[str, int]:
        """Return how often each word stands in a text; any text will do."""
        with self._lock:
            if self._database is None:
                self._database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
                self._database.execute(
                    f"CREATE VIRTUAL TABLE words USING fts5 (text, content='', tokenize='{TOKENIZER}')"
                )
                self._database.execute("CREATE VIRTUAL TABLE counts USING fts5vocab (words, row)")
            safe = search_text(text[:_MOST_LETTERS].encode(errors="replace").decode())
            self._database.execute("INSERT INTO words (rowid, text) VALUES (1, ?)", (safe,))
            counts = dict(self._database.execute("SELECT term, cnt FROM counts").fetchall())
            self._database.execute("INSERT INTO words (words) VALUES ('delete-all')")
            return counts


def search(
    database: sqlite3.Connection, words: dict[str, int], scope: Scope, limit: int
) -> list[tuple[ChunkRef, float]]:
    """Return the chunks that share words with a question, best first, with their BM25 scores.

    Args:
        database: the library's.
        words: the words of the question; one that comes twice counts twice.
        scope: the chunks to search. Only they decide which words are rare.
        limit: return so many at most.
    """
    import numpy as np

    total = len(scope)
    scores = np.zeros(total)
    if total:
        length = 1 - _B + _B * scope.lengths / scope.lengths.mean()
        for word in _rarest(database, words):
            found, times = _occurrences(database, word, scope.keys)
            rarity = np.log1p((total - len(found) + 0.5) / (len(found) + 0.5))
            scores[found] += words[word] * rarity * times * (_K1 + 1) / (times + _K1 * length[found])
    best = np.argsort(-scores, kind="stable")[:limit]
    return [(scope[i], float(scores[i])) for i in best.tolist() if scores[i] > 0]


def _rarest(database: sqlite3.Connection, words: Collection[str]) -> list[str]:
    """Return the words of the index among these, rarest first, at least one and no more than are quickly looked at."""
    counts = database.execute(
        "SELECT term, cnt FROM json_each(?) JOIN word_counts ON term = json_each.value ORDER BY cnt, term",
        (json.dumps([*words]),),
    ).fetchall()
    chosen: list[str] = []
    places = 0
    for word, count in counts:
        places += count
        if chosen and places > _MOST_PLACES:
            break
        chosen.append(word)
    return chosen


def _occurrences(
    database: sqlite3.Connection, word: str, keys: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which chunks of `keys` a word stands in, by their place there, and how often in each."""
    import numpy as np

    (places,) = database.execute(
        "SELECT group_concat(doc) FROM word_places WHERE term = ? AND doc BETWEEN ? AND ?",
        (word, int(keys[0]), int(keys[-1])),
    ).fetchone()
    chunks, times = np.unique(np.fromstring(places or "", np.int64, sep=","), return_counts=True)
    at = np.searchsorted(keys, chunks)
    within = keys[at] == chunks
    return at[within], times[within]
