"""How near to each other, and in which order, the words of a question stand in a chunk.

A chunk that answers says most of the question's words in one sentence and some of them side by side; one about
something else has them scattered. The best window (as in Tao and Zhai, An Exploration of Proximity Measures in
Information Retrieval, 2007) and the pairs in the question's order (Metzler and Croft, A Markov Random Field Model for
Term Dependencies, 2005) both count as much as BM25 does: other weights from a half to two are no better on
benchmarks/routing.py's sets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

# Words that a window spans. 10 to 24 find as much.
_WINDOW = 12
# Weight of a word that is not searched for, such as "the", as a share of the median of those that are. How rare it is
# says nothing: among source files or texts in another language it is.
_OTHER = 0.15


def proximity(question: Sequence[str], places: Sequence[tuple[int, str]], weights: Mapping[str, float]) -> float:
    """Score a chunk by its best window and by its pairs of words that follow each other in the question too.

    Args:
        question: the words of the question, in their order.
        places: (place, word) of each of them in the chunk, in their order; words are counted in places.
        weights: of the words that are searched for; all others weigh little.
    """
    other = _OTHER * median(weights.values()) if weights else 1.0
    weights = {word: weights.get(word, other) for word in question}
    pairs = set(pairwise(question))
    found = {
        (word, following)
        for (place, word), (next_place, following) in pairwise(places)
        if next_place == place + 1 and (word, following) in pairs
    }
    beside = sum(weights[word] + weights[following] for word, following in found) / 2
    return _best_window(places, weights) + beside


def _best_window(places: Sequence[tuple[int, str]], weights: Mapping[str, float]) -> float:
    """Return the most that the different words within one window weigh."""
    inside: Counter[str] = Counter()
    weight = best = 0.0
    first = 0
    for place, word in places:
        if not inside[word]:
            weight += weights[word]
        inside[word] += 1
        while places[first][0] <= place - _WINDOW:
            left = places[first][1]
            inside[left] -= 1
            if not inside[left]:
                weight -= weights[left]
            first += 1
        best = max(best, weight)
    return best
