"""Which chunks of the library are attached for a question.

A question can point (`pointing.py`): at a document, a page, a chapter, or at whole texts, as a summary does. What else
it says is matched by the words of the chunks: by BM25, which knows names, numbers and terms of art, and by how near to
each other the question's words stand (`thoth/library/proximity.py`). What matches far worse than the best chunk is left
out: each adapter that is attached costs the others some accuracy. The rest is ranked a second time, by the cosine
between the question's features and a chunk's, and both rankings are joined by reciprocal rank (Cormack, Clarke and
Buettcher, 2009), which needs no common scale.

Nothing vetoes: a name that no chunk has lowers the confidence, and only where the rest matches too little for it does
the question count as one about something else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, TypeAlias

from thoth.events import Chosen
from thoth.retrieval import spellings, terms
from thoth.retrieval.matching import Compare, Ranked, matched
from thoth.retrieval.pointing import Pointing, pointing
from thoth.retrieval.query import parts
from thoth.retrieval.routing import Routing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from thoth.library.library import Library
    from thoth.library.records import ChunkRef, StoredChunk, StoredDocument

Embed: TypeAlias = "Callable[[str], NDArray[np.float32]]"

# A name says what a question is about, its other words what is asked in one of many ways. On nano, 512 questions about
# 128 notes, BM25 has the right chunk first for 85.2% when a name counts once, 98.6% when twice, 99.6% from three times
# on. With proximity, which gives more to wordings that notes share, it takes four times (150 of 150 of 64 notes; three
# times: 149). That holds for names of few chunks. In tales, where the hero is everywhere, three times takes recall@1
# among 600 passages of FairytaleQA from 66.0% to 57.5%, so only a rare name counts more (benchmarks/routing.py).
_NAME_COUNT = 4
_RARE = 2  # chunks
# Reciprocal rank: 1 / (k + rank). With k = 60 and equal weights the cosine, right for 31% on nano, drags the 99.6%
# down to 60%. With these it breaks the ties that BM25 leaves.
_K, _COSINE_WEIGHT = 1.0, 0.25
# Least lexical match, as a share of the best one's, of a chunk that is used. On nano a second note of four facts halves
# the exact answers (74% to 37%), so what fits far worse stays out; but where a document is in chunks of 96 tokens, its
# best chunk alone answers less (0.5: 81.0%, 0.7: 82.7%, 0.8: 79.3%; in chunks of 256 tokens 76% with any).
_CUT = 0.7
_CANDIDATES = 64
# Least confidence: what the best chunk matches, as a share of that and of the names that no chunk has. "Who is the
# mayor of Quelstead?" matches a note about another town's mayor with 0.08 among 64 notes, "Is John allowed to keep a
# dog?" a lease with 0.24.
_CONFIDENCE = 0.16
# Confidence from which a request such as "summarise the section on pets" is about what it says, not the whole text.
_CLEAR = 0.5
# How much more a match counts in a document whose name the question mentions.
_FAVOUR = 1.5
# How much more a question's own words count than those that a follow-up takes from the turn before.
_OWN_COUNT = 2
# Score of a chunk that is attached because a whole text is asked for, not because it fits better than others.
_SPREAD_SCORE = 0.5
# Score of a chunk that says what a document's first one lacks, as a share of that one's.
_BODY = 0.9
# What a text does: "What does the paper say?" asks for nothing in it.
_SAYING = frozenset(
    "concern concerns contain contains cover covers deal deals describe describes described discuss discusses explain "
    "explains mention mentions say says said state states stated talk talks tell tells told written".split()
)
# An address says where something is: that no chunk has its parts says nothing.
_ADDRESS = re.compile(r"\bhttps?://\S+", re.IGNORECASE)


def route(
    library: Library,
    question: str,
    documents: Sequence[StoredDocument],
    routing: Routing,
    rank: int,
    embed: Embed,
    *,
    apart: bool = False,
    compare: Compare | None = None,
) -> list[Chosen]:
    """Choose the chunks whose adapters fit a question, best first.

    Args:
        library: where the chunks are.
        question: made by `query.conversation_query`.
        documents: whose chunks may be chosen; those that are not absorbed yet are not.
        routing: the limits.
        rank: of one chunk's adapter; the bias pair takes as much again, once.
        embed: gives the (D,) pooled features of a text, as the library has them of each chunk.
        apart: whether each of them answers by itself: then none costs another accuracy, and those that match far worse
            than the best one, or by their features alone, are asked too. They refuse what they do not know.
        compare: the pair's matcher; None where it has none. It counts where chunks answer by themselves.

    Returns:
        At most `routing.top_k` chunks and none beyond `routing.rank_budget`, but the best one always; none at all
        where nothing fits.
    """
    most = max(1, min(routing.top_k, routing.rank_budget // rank - 1))
    ranked = ranking(library, question, documents, most, embed, apart=apart, compare=compare if apart else None)
    return describe(library, documents, ranked)


def are_spread(question: str, documents: Sequence[StoredDocument], chosen: Sequence[Chosen]) -> bool:
    """Tell whether chunks were chosen because a question asks for whole texts, and not for a page or a chapter."""
    if not chosen or any((one.score, one.answers) != (_SPREAD_SCORE, None) for one in chosen):
        return False
    asked = pointing(question, documents)
    return asked.pages is None and asked.part is None


def passages(
    library: Library,
    question: str,
    documents: Sequence[StoredDocument],
    count: int,
    embed: Embed,
    compare: Compare | None = None,
) -> list[Chosen]:
    """Choose the `count` best chunks to be read in the context; fewer where fewer fit."""
    ranked = ranking(library, question, documents, count, embed, apart=compare is not None, compare=compare)
    return describe(library, documents, ranked)


def ranking(
    library: Library,
    question: str,
    documents: Sequence[StoredDocument],
    most: int,
    embed: Embed,
    *,
    apart: bool = False,
    compare: Compare | None = None,
) -> list[Ranked]:
    """Rank the absorbed chunks of documents that fit a question, best first, at most `most`.

    Where a question asks for whole texts or only points at a document, its chunks are spread over that document. Where
    no word of the question is in any chunk and it points at nothing, features alone decide; with a matcher also where
    it points at a document and says more: "Who wrote the paper?".
    """
    asked = pointing(question, documents)
    ids = [document.id for document in documents if asked.documents is None or document.id in asked.documents]
    absorbed = library.absorbed(ids)
    own, carried = parts(asked.rest)
    own = spellings.plain(own)
    words, named = terms.content(own), terms.names(_ADDRESS.sub(" ", own))
    spelled = " ".join([*spellings.others(own), *spellings.in_other_words(own)])
    standing = {name: _standing(library, name, ids) for name in named}
    strange = not all(standing.values())
    if len(absorbed) < 2:
        if apart and asked.whole:
            return _spread(absorbed, most)
        return matched(library, [Ranked(ref, 1.0) for ref in absorbed], asked, compare, most, strange=strange)
    telling = [word for word in words if asked.mentioned.isdisjoint(terms.terms(word))]
    rare = [name for name in named if 0 < standing[name] <= _RARE and name in telling]
    about = [word for word in telling if word.casefold() not in terms.ASKING_WORDS]
    own_words = [*words, *about * (_OWN_COUNT - 1), *rare * (_NAME_COUNT - 1) * _OWN_COUNT]
    searched = " ".join([*own_words, spelled, *terms.content(" ".join(carried))])
    matches = _favoured(library.search(searched, ids, _CANDIDATES, f"{own} {spelled}") if words else [], asked)

    def confidence(missing: float) -> float:
        by_words = _favoured(library.search(searched, ids, _CANDIDATES), asked) if missing else matches
        return _confidence(by_words, missing, len(absorbed))

    if places := _places(library, ids, asked):
        return _within(places, matches, most)
    if asked.whole:
        missing = sum(not library.search(word, ids, 1) for word in telling)
        if not telling or not matches or confidence(missing) < _CLEAR:
            return _spread(_whole(library, documents, ids, asked), most)
    if asked.favoured and matches and not library.search(" ".join(telling), ids, 1):
        matches = []  # nothing fits but the words that name the document
    if matches and named:
        missing = sum(not found for found in standing.values()) * _NAME_COUNT
        if not apart and confidence(missing) < _CONFIDENCE:
            return []
        most = 1 if missing and not apart else most
    if not matches and (named or asked.points or asked.favoured):
        told = [id for id in ids if id in asked.favoured] or (ids if asked.documents else [])
        if not told and not named:
            told = [id for id in ids if len(ids) == 1]
        says_more = any(word.casefold() not in _SAYING for word in telling)
        if (told or not apart) and not (compare and says_more):
            return _spread(library.absorbed(told), most)
        absorbed = library.absorbed(told) or absorbed  # the matcher tells which of them answers
    ranked = _joined(library, asked.rest, matches, absorbed, embed, apart=apart)
    ranked = matched(library, _with_body(library, about, ranked), asked, compare, most, strange=strange)
    return _of_each(library, asked.named, " ".join(telling), ranked) if 1 < len(asked.named) <= most else ranked


def _of_each(library: Library, named: Collection[str], words: str, ranked: list[Ranked]) -> list[Ranked]:
    """Put the best chunk of each document that a question names in front: it asks about all of them."""
    best: list[Ranked] = []
    for id in named:
        own = [one for one in ranked if one.ref.document == id]
        best += own[:1] or [Ranked(ref, _SPREAD_SCORE) for ref, _ in library.search(words, [id], 1)]
    best.sort(key=lambda one: (-one.score, one.ref))
    return [*best, *(one for one in ranked if one not in best)][: max(len(best), len(ranked))]


def _standing(library: Library, name: str, ids: Sequence[str]) -> int:
    """In how many chunks a name is, up to `_RARE + 1`, about; a number also as it is spelled otherwise."""
    found = len(library.search(name, ids, _RARE + 1))
    if not found and (grouped := spellings.grouped(name)):
        found = min(len(library.search(group, ids, _RARE + 1)) for group in grouped.split(","))
    if not found and (in_words := spellings.in_other_words(name)):
        found = len(library.search(in_words[0], ids, _RARE + 1))
    return found


def _with_body(library: Library, words: Sequence[str], ranked: list[Ranked]) -> list[Ranked]:
    """Add the chunk of a document that says what its first one, which fits best, does not.

    A document with headings or pages says at its beginning what all of it is about: whose lease, which device. Where
    that is what fits best, the words of the question that it lacks are looked for in the rest. Notes in one plain file
    speak of something else each: there a second chunk only costs accuracy.
    """
    if not ranked or ranked[0].ref.number:
        return ranked
    head = ranked[0].ref
    places = {word: [ref for ref, _ in library.search(word, [head.document], _CANDIDATES)] for word in words}
    lacking = [word for word, refs in places.items() if head not in refs]
    body = library.search(" ".join(lacking), [head.document], 1, " ".join(lacking)) if lacking else []
    if not body or body[0][0] in [one.ref for one in ranked]:
        return ranked
    chunk = library.chunk(body[0][0])
    if not chunk.headings and chunk.pages is None:
        return ranked
    return [ranked[0], Ranked(body[0][0], ranked[0].score * _BODY), *ranked[1:]]


def _joined(
    library: Library,
    question: str,
    matches: Sequence[tuple[ChunkRef, float]],
    absorbed: Sequence[ChunkRef],
    embed: Embed,
    *,
    apart: bool,
) -> list[Ranked]:
    """Join the ranking by words with that by features."""
    by_words = [ref for ref, match in matches if apart or match >= _CUT * matches[0][1]]
    by_cosine: Sequence[ChunkRef] = by_words
    if apart or len(by_words) != 1:
        by_cosine = _nearest(library, absorbed if apart else by_words or absorbed, embed(question))[:_CANDIDATES]
    scores: dict[ChunkRef, float] = {}
    for weight, order in ((1.0, by_words), (_COSINE_WEIGHT, by_cosine)):
        for place, ref in enumerate(order, 1):
            scores[ref] = scores.get(ref, 0.0) + weight / (_K + place)
    highest = (1.0 + _COSINE_WEIGHT) / (_K + 1)
    ranked = [Ranked(ref, score / highest) for ref, score in scores.items()]
    return sorted(ranked, key=lambda one: (-one.score, one.ref))


def _favoured(matches: list[tuple[ChunkRef, float]], asked: Pointing) -> list[tuple[ChunkRef, float]]:
    """Matches with those first that are in documents whose names the question mentions."""
    if not asked.favoured:
        return matches
    weighed = [(ref, match * (_FAVOUR if ref.document in asked.favoured else 1.0)) for ref, match in matches]
    return sorted(weighed, key=lambda one: -one[1])


def _confidence(matches: Sequence[tuple[ChunkRef, float]], missing: float, chunks: int) -> float:
    """What the best chunk matches by BM25, as a share of that and of what `missing` words weigh that no chunk has.

    It is 0 to 1.
    """
    rarest = math.log1p((chunks - 0.5) / 1.5)  # BM25's weight of a word that is in one chunk
    return matches[0][1] / (matches[0][1] + missing * _OWN_COUNT * rarest)


def _places(library: Library, ids: Sequence[str], asked: Pointing) -> list[ChunkRef]:
    """The absorbed chunks on the pages or below the heading that are asked for."""
    if asked.pages is None and asked.part is None:
        return []
    chunks = [(ref, library.chunk(ref)) for ref in library.absorbed(ids)]
    if asked.pages is not None and (found := [ref for ref, chunk in chunks if _is_on(chunk, asked.pages)]):
        return found
    part = asked.part or ""
    # "Chapter 3" is a heading that begins so; where there is none, one that begins with the number alone.
    for start in (part, part.rpartition(" ")[2]) if part else ():
        if found := [ref for ref, chunk in chunks if any(_begins(heading, start) for heading in chunk.headings)]:
            return found
    return []


def _is_on(chunk: StoredChunk, pages: tuple[int, int]) -> bool:
    return chunk.pages is not None and chunk.pages[0] <= pages[1] and pages[0] <= chunk.pages[1]


def _begins(heading: str, start: str) -> bool:
    text = " ".join(heading.casefold().split())
    return text == start or text.startswith((f"{start} ", f"{start}.", f"{start}:"))


def _within(places: Sequence[ChunkRef], matches: Sequence[tuple[ChunkRef, float]], most: int) -> list[Ranked]:
    """Chunks of the places that were asked for: those that match best, else spread over them."""
    fitting = [ref for ref, _ in matches if ref in places]
    return [Ranked(ref, 1.0) for ref in fitting[:most]] or _spread(places, most)


def _whole(
    library: Library, documents: Sequence[StoredDocument], ids: Sequence[str], asked: Pointing
) -> Sequence[ChunkRef]:
    """The chunks of the documents that a request for whole texts means: those it points at, else the newest."""
    if (asked.documents and not asked.one) or len(ids) == 1:
        return library.absorbed(ids)
    if favoured := [id for id in ids if id in asked.favoured]:
        return library.absorbed(favoured)
    absorbed = [document for document in documents if document.id in ids and document.absorbed]
    return library.absorbed([max(absorbed, key=lambda document: document.added).id])


def _spread(refs: Sequence[ChunkRef], most: int) -> list[Ranked]:
    """At most `most` chunks, spread evenly over the given ones, in their order."""
    count = min(most, len(refs))
    return [Ranked(refs[(2 * i + 1) * len(refs) // (2 * count)], _SPREAD_SCORE) for i in range(count)]


def describe(library: Library, documents: Sequence[StoredDocument], ranked: Sequence[Ranked]) -> list[Chosen]:
    """Say of candidates what people want to know about them."""
    names = {document.id: document.name for document in documents}
    chosen = []
    for ref, score, match in ranked:
        chunk = library.chunk(ref)
        place = (ref.document, names[ref.document], ref.number, chunk.pages, chunk.headings)
        chosen.append(Chosen(*place, score, *(match or ())))
    return chosen


def _nearest(library: Library, refs: Sequence[ChunkRef], question: NDArray[np.float32]) -> list[ChunkRef]:
    """Chunks by the cosine of their features with a question's (D,), nearest first.

    Mean features of a language model all point the same way; what tells them apart is how they differ from their
    mean.
    """
    import numpy as np

    features = library.features(refs)
    mean = features.mean(0)
    differences = features - mean
    lengths = np.maximum(np.linalg.norm(differences, axis=1), np.finfo(np.float32).tiny)
    cosines = differences @ (question - mean) / lengths
    return [refs[place] for place in np.argsort(-cosines, kind="stable").tolist()]
