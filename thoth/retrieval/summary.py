"""What a document is about, in sentences of its own: nothing is written, so nothing can be wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from thoth.ingest import Document, sentences
from thoth.retrieval.terms import FUNCTION_WORDS, names, terms

_SENTENCES = 2
_LEAST_TERMS, _MOST_LETTERS = 4, 300  # shorter ones are captions, longer ones no summary
# A paragraph may go on as a list; what is quoted of it has no mark.
_ITEM = re.compile(r"(?:\A|\n)[ \t]*(?:[-*+\u2022]|\d{1,9}[.)])[ \t]+")
_READ = 60_000  # letters of a document: 0.05 s


@dataclass(frozen=True, eq=False)
class _Sentence:
    """A sentence, its place among those of its document, and its terms."""

    place: int
    text: str
    terms: frozenset[str]


def summary(document: Document) -> str:
    """Return the sentences of `central` as one text."""
    return " ".join(central(document))


def central(document: Document) -> list[str]:
    """Return two sentences of a document: the first one, and the one that is closest to all of it.

    The second is chosen by how often the document has the terms of the sentence; what the first one says
    counts less. This is SumBasic (Nenkova and Vanderwende 2005), with less favour for short sentences.

    Args:
        document: its headings, lists, tables and code are left out.

    Returns:
        The sentences in the document's order; none of a document without whole sentences.
    """
    found = _sentences(document)
    if not found:
        return []
    first, *rest = found
    return [sentence.text for sentence in [first, *_ranked(rest, found, said=first)][:_SENTENCES]]


def telling(document: Document) -> list[str]:
    """Return the sentences of a document that name something or give a number, the one closest to all of it first."""
    found = _sentences(document)
    return [sentence.text for sentence in _ranked(found, found) if names(sentence.text)]


def _sentences(document: Document) -> list[_Sentence]:
    spans = [(block.start, block.end) for block in document.blocks if block.kind == "paragraph"]
    texts = (text for span in spans or [(0, len(document.text))] for text in _split(document.text, *span))
    found = [(text, frozenset(terms(text)) - FUNCTION_WORDS) for text in texts]
    return [
        _Sentence(place, text, about)
        for place, (text, about) in enumerate(found)
        if len(about) >= _LEAST_TERMS and len(text) <= _MOST_LETTERS and sentences.is_complete(text) and "|" not in text
    ]


def _split(text: str, start: int, stop: int) -> Iterator[str]:
    for piece in _ITEM.split(text[start : min(stop, _READ)]):
        at = 0
        for end, following in [*sentences.ends(piece), (len(piece), len(piece))]:
            yield " ".join(piece[at:end].split())
            at = following


def _ranked(
    some: Sequence[_Sentence], every: Sequence[_Sentence], said: _Sentence | None = None
) -> Iterator[_Sentence]:
    """Yield sentences, each time the one whose terms are the most frequent; those of a chosen one count less then."""
    counts = Counter(term for sentence in every for term in sentence.terms)
    weights = {term: count / len(every) for term, count in counts.items()}
    left = list(some)
    while True:
        if said is not None:
            weights |= {term: weights[term] ** 2 for term in said.terms}
        if not left:
            return
        said = max(left, key=lambda one: sum(weights[term] for term in one.terms) / len(one.terms) ** 0.5)
        left.remove(said)
        yield said
