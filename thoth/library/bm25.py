"""Which chunks share words with a question: BM25 over the postings of SQLite's FTS5 index.

FTS5 cuts text into words and keeps, for each word, the chunks it is in. Its own ranking is not used: it takes the
frequency of words from the whole library, where a question is about some documents, and gives nearly nothing to a
word that is in half of the chunks, which within one short document is every other word.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from thoth.library.scope import Scope

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Robertson and Zaragoza, The Probabilistic Relevance Framework (2009): how soon a word that comes again adds nothing,
# and how much a long chunk pays for its length. FTS5 has the same two.
_K1, _B = 1.2, 0.75

# Places that are looked at for one question, rarest words first: about 0.02 s. Words that are left out are as common
# as "the" in a large library, and weigh nothing.
_MOST_PLACES = 100_000


class Found(NamedTuple):
    """What a search found.

    Attributes:
        places: the chunks by their place in the scope, best first.
        scores: their BM25 scores.
        weights: how much each word that was looked for counts: its rarity, times how often the question has it.
    """

    places: list[int]
    scores: list[float]
    weights: dict[str, float]


def search(database: sqlite3.Connection, words: dict[str, int], scope: Scope, limit: int) -> Found:
    """Find the chunks that share words with a question.

    Args:
        database: the library's.
        words: the words of the question; one that comes twice counts twice.
        scope: the chunks to search. Only they decide which words are rare.
        limit: return so many at most.
    """
    import numpy as np

    total = len(scope)
    scores = np.zeros(total)
    weights: dict[str, float] = {}
    if total:
        length = 1 - _B + _B * scope.lengths / scope.lengths.mean()
        for word in _rarest(database, words):
            found, times = _occurrences(database, word, scope.keys)
            rarity = math.log1p((total - len(found) + 0.5) / (len(found) + 0.5))
            weights[word] = words[word] * rarity
            scores[found] += weights[word] * times * (_K1 + 1) / (times + _K1 * length[found])
    best = [place for place in np.argsort(-scores, kind="stable")[:limit].tolist() if scores[place] > 0]
    return Found(best, scores[best].tolist(), weights)


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
    """Return which chunks of `keys` a word is in, by their place there, and how often in each."""
    import numpy as np

    (places,) = database.execute(
        "SELECT group_concat(doc) FROM word_places WHERE term = ? AND doc BETWEEN ? AND ?",
        (word, int(keys[0]), int(keys[-1])),
    ).fetchone()
    chunks, times = np.unique(np.fromstring(places or "", np.int64, sep=","), return_counts=True)
    at = np.searchsorted(keys, chunks)
    within = keys[at] == chunks
    return at[within], times[within]
