"""What the pair's matcher says of the chunks that words and features found, and of those around them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from mlx_hypernet.marks import Match
    from thoth.library.library import Library
    from thoth.library.records import ChunkRef
    from thoth.retrieval.pointing import Pointing

# What chunks are to a question; those of a group are read as one text.
Compare: TypeAlias = "Callable[[str, Sequence[Sequence[ChunkRef]]], list[Match]]"

# Chunks that the matcher reads: those around the best ones by words, and what a score of 1 counts beside its log-odds.
# Of 60 questions about a book of 373 chunks of notes the right chunk is first for 53% by words, 57% with the matcher,
# and 83% with both for the chunks around; it is among four for 68, 70 and 97%. Four are enough there.
_READ, _NEAR = 16, 2
_WORDS_COUNT = 12.0
# What a name that no chunk has takes from a chunk's log-odds. Of 24 questions about strangers to a note 22 have one, of
# 192 that notes answer none.
_STRANGE_COUNT = 5.0
_ALONE_COUNT = 4.0  # where there is no matcher (docs/decisions/2026-11-29-chunks-answer-by-themselves.md)


class Ranked(NamedTuple):
    """A chunk that fits.

    Attributes:
        ref: the chunk.
        score: reciprocal ranks, 1 for the first in both rankings.
        match: what the pair's matcher says of it.
    """

    ref: ChunkRef
    score: float
    match: Match | None = None


def matched(
    library: Library, ranked: Sequence[Ranked], asked: Pointing, compare: Compare | None, most: int, *, strange: bool
) -> list[Ranked]:
    """Let the matcher rank chunks, unless a whole text is asked for.

    A chunk counts as matching as well as the best of those around it: who a note is about is said once, and not in the
    chunk with his phone number. The matcher compares each by itself and beside the one before, and the mean counts. It
    does not know that somebody is in no chunk at all: where the question has a name that is `strange`, its log-odds are
    lowered.
    """
    if compare is None or asked.whole or not ranked:
        return list(ranked[:most])
    own = {one.ref: one.score for one in ranked}
    absorbed = {id: _absorbed(library, id) for id in {one.ref.document for one in ranked[:_READ]}}
    around = {
        ref: max(own.get(near, 0.0) for near in _around(ref))
        for one in ranked[:_READ]
        for ref in _around(one.ref)
        if ref.number in absorbed[ref.document]
    }
    matches = _beside(compare, asked.rest, [*around], absorbed)
    if strange:
        matches = [match._replace(answers=match.answers - _STRANGE_COUNT) for match in matches]
    judged = [Ranked(ref, score, match) for (ref, score), match in zip(around.items(), matches, strict=True)]
    return sorted(judged, key=lambda one: (-fit(one.score, one.match and one.match.answers), one.ref))[:most]


def _beside(
    compare: Compare, text: str, refs: Sequence[ChunkRef], absorbed: Mapping[str, Collection[int]]
) -> list[Match]:
    """Compare each chunk by itself and, read as one, with the chunk before it; returns the means."""
    before = [ref._replace(number=ref.number - 1) for ref in refs]
    pairs = [
        [one, ref] if one.number in absorbed[ref.document] else [ref] for one, ref in zip(before, refs, strict=True)
    ]
    matches = compare(text, [*([ref] for ref in refs), *pairs])
    return [
        type(one)((one.answers + other.answers) / 2, (one.related + other.related) / 2)
        for one, other in zip(matches[: len(refs)], matches[len(refs) :], strict=True)
    ]


def _absorbed(library: Library, document: str) -> set[int]:
    """The numbers of a document's absorbed chunks."""
    return set(range(library.get(document).chunks)).difference(library.missing(document))


def _around(ref: ChunkRef) -> list[ChunkRef]:
    """A chunk and its neighbours, whether they exist or not."""
    return [ref._replace(number=number) for number in range(ref.number - _NEAR, ref.number + _NEAR + 1)]


def fit(score: float, answers: float | None) -> float:
    """How well a chunk fits a question: what its words and what the matcher say of it, in nats.

    Args:
        score: of its words and features.
        answers: log-odds that it answers the question, None where there is no matcher.
    """
    return _ALONE_COUNT * score if answers is None else _WORDS_COUNT * score + answers
