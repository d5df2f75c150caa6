"""Document -> the chunks that are absorbed one by one, each with its text, pages and headings.

A chunk should end where a thought ends, be as full as it may, and not be one of many. What Knuth and Plass did for
lines in a paragraph does this for chunks in a document: every place where one could cut has a cost, every chunk pays
for the room it leaves, and dynamic programming finds the cheapest way through the whole document at once.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thoth.ingest import Block, Document, sentences

Chunking = Literal["meaning", "tokens"]

# What a cut costs, by what it goes through. An empty chunk would pay 2 for the room it leaves: so a paragraph's end
# is worth about a chunk, and nothing smaller is ever cut to fill one.
_PARAGRAPH, _ITEM, _SENTENCE, _LINE, _WORD, _UNDER_HEADING, _LETTER, _TOKEN = 1.5, 2.0, 3.0, 6.0, 10.0, 12.0, 30.0, 60.0
_ROOM = 2.0
# A cut between sections is a gain, for no chunk mixes them then; less of one the more headings both are under.
_SECTION = -0.5

# Where a stretch without a better place can be cut. Line ends first: they mean something in tables and code.
_FINER = ((_PARAGRAPH, re.compile(r"\n[ \t]*\n\s*")), (_LINE, re.compile(r"\n\s*")), (_WORD, re.compile(r"\s+")))
_ITEM_START = re.compile(r"\n[ \t]*(?=(?:[-*+\u2022]|\d{1,9}[.)])[ \t])")

_PLACES_IN_A_CHUNK = 32

# Letters that are tokenised at once, up to the end of a line or word where there is one.
_PIECE = re.compile(r".{1,50000}(?:(?<=\n)(?=\S)|\Z)|.{1,50000}(?=\s)|.{1,50000}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a document that becomes one adapter.

    Attributes:
        ids: token ids with the template's around them, as the encoder reads them.
        text: what they say; the texts of all chunks, joined, are the document's, stripped.
        pages: first and last page, from 1, or None where there are no pages.
        headings: the headings that all of it is under, outermost first.
        start: where it begins in the document's text.
    """

    ids: list[int]
    text: str
    pages: tuple[int, int] | None
    headings: tuple[str, ...]
    start: int


def split(
    document: Document,
    tokenizer: Any,
    max_tokens: int,
    prefix_ids: Sequence[int],
    suffix_ids: Sequence[int],
    chunking: Chunking = "meaning",
) -> list[Chunk]:
    """Cut a document into chunks; no token and no letter is lost.

    Args:
        document: with the blocks it consists of, if they are known.
        tokenizer: a fast tokenizer of transformers, or mlx-lm's wrapper of one.
        max_tokens: longest chunk, not counting what the template puts around it.
        prefix_ids: the template's ids in front of a document.
        suffix_ids: the template's ids behind it.
        chunking: "meaning": at the ends of sections, paragraphs and sentences; "tokens": equal lengths, as the
            reference implementation cuts.

    Raises:
        ValueError: for a document without text, a chunk length below 1, or a tokenizer that cannot say where its
            tokens are.
    """
    if not document.text.strip() or max_tokens < 1:
        raise ValueError(f"cannot cut {len(document.text)} characters into chunks of {max_tokens} tokens")
    tokens = _tokenise(document.text, tokenizer)
    if chunking == "tokens":
        return _split_equally(document, tokenizer, tokens, max_tokens, prefix_ids, suffix_ids)
    cuts = _cheapest(_costs(document, tokens, max_tokens), len(tokens.ids), max_tokens)
    locate = _Locator(document)
    chunks = []
    for first, after in zip([0, *cuts], [*cuts, len(tokens.ids)], strict=True):
        ids = [*prefix_ids, *tokens.ids[first:after], *suffix_ids]
        chunks.append(locate.chunk(ids, *tokens.span(first, after)))
    return chunks


@dataclass(frozen=True)
class _Tokens:
    """A text in tokens: ids, and where in the text each begins and ends; begins never decrease."""

    ids: list[int]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    stop: int

    def span(self, first: int, after: int) -> tuple[int, int]:
        """Return the part of the text that tokens `first` up to `after` have between them."""
        start, stop = (int(self.starts[i]) if i < len(self.ids) else self.stop for i in (first, after))
        return start, stop

    def between(self, places: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
        """Return the first token behind each place (end of the last thing, begin of the next).

        A place that lies inside of a token is -1, as is the begin of the text.
        """
        pairs = np.array([*places], np.int64).reshape(-1, 2)
        found = np.searchsorted(self.starts, pairs[:, 0])
        begins = np.append(self.starts, self.stop + 1)[found]
        return np.where((found > 0) & (begins <= pairs[:, 1]), found, -1)


def _tokenise(text: str, tokenizer: Any) -> _Tokens:
    """Tokenise a text once, in pieces, the way it stands in the template: stripped, control tokens as text."""
    if not getattr(tokenizer, "is_fast", True):
        raise ValueError("the tokenizer cannot say where its tokens are in the text: a tokenizer.json is needed")
    first, stop = len(text) - len(text.lstrip()), len(text.rstrip())
    encode = tokenizer if callable(tokenizer) else tokenizer._tokenizer  # mlx-lm's wrapper forwards no calls
    ids: list[int] = []
    spans = []
    for piece in _PIECE.finditer(text, first, stop):
        encoded = encode(
            piece[0], add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True, verbose=False
        )
        ids += encoded["input_ids"]
        spans.append(np.array(encoded["offset_mapping"], np.int64).reshape(-1, 2) + piece.start())
    places = np.concatenate(spans)
    starts = np.maximum.accumulate(places[:, 0])
    starts[:1] = first  # some tokenizers leave a space out
    return _Tokens(ids, starts, places[:, 1], stop)


def _costs(document: Document, tokens: _Tokens, max_tokens: int) -> dict[int, float]:
    """Return the tokens in front of which the document may be cut, in order, and what each cut costs.

    No two that follow each other are further apart than a chunk is long.
    """
    spots = [*_between_blocks(document), *_inside_blocks(document)]
    costs: dict[int, float] = {}
    for token, (_, _, cost) in zip(tokens.between(spot[:2] for spot in spots).tolist(), spots, strict=True):
        if token > 0:
            costs[token] = min(cost, costs.get(token, cost))
    total = len(tokens.ids)
    for cost, pattern in _FINER:
        for first, after in _too_long(costs, total, max_tokens):
            found = pattern.finditer(document.text, *tokens.span(first, after))
            places = tokens.between(match.span() for match in found)
            costs |= dict.fromkeys(_thinned(places, first, after, max_tokens), cost)
    # A token that begins before the last one ends continues a letter.
    letters = np.flatnonzero(tokens.starts[1:] >= tokens.ends[:-1]) + 1
    for cost, places in ((_LETTER, letters), (_TOKEN, np.arange(1, total))):
        for first, after in _too_long(costs, total, max_tokens):
            within = places[np.searchsorted(places, first) : np.searchsorted(places, after)]
            costs |= dict.fromkeys(_thinned(within, first, after, max_tokens), cost)
    return dict(sorted(costs.items()))


def _thinned(places: NDArray[np.int64], first: int, after: int, max_tokens: int) -> list[int]:
    """Return enough of the places between two tokens: a page of single letters need not be cut at each."""
    kept, step = [first], max(1, max_tokens // _PLACES_IN_A_CHUNK)
    for token in places.tolist():
        if kept[-1] + step <= token < after:
            kept.append(token)
    return kept[1:]


def _too_long(costs: Iterable[int], total: int, max_tokens: int) -> list[tuple[int, int]]:
    """Return the stretches between two places that no chunk can hold."""
    edges = [0, *sorted(costs), total]
    return [(a, b) for a, b in pairwise(edges) if b - a > max_tokens]


_Spot = tuple[int, int, float]  # end of the last thing, begin of the next, cost of a cut between them


def _between_blocks(document: Document) -> Iterator[_Spot]:
    for last, block in pairwise(document.blocks):
        inside = block.headings[: len(last.headings)] == last.headings
        if last.kind == "heading" and inside:
            yield last.end, block.start, _UNDER_HEADING
        elif block.kind == "heading" or block.headings != last.headings:
            shared = len(_shared([last.headings, block.headings]))
            yield last.end, block.start, _SECTION / (1 + shared)
        elif last.page != block.page and not sentences.is_complete(document.text[last.start : last.end]):
            yield last.end, block.start, _LINE  # a sentence that goes on overleaf
        else:
            yield last.end, block.start, _PARAGRAPH


def _inside_blocks(document: Document) -> Iterator[_Spot]:
    """Yield the ends of sentences and items; tables and code stay whole as long as they fit."""
    text = document.text
    for block in document.blocks or (Block("paragraph", 0, len(text)),):
        if block.kind not in ("paragraph", "list"):
            continue
        for end, start in sentences.ends(text, block.start, block.end):
            yield end, start, _SENTENCE
        for pattern, cost in ((_ITEM_START, _ITEM), (_FINER[0][1], _PARAGRAPH)):
            for found in pattern.finditer(text, block.start, block.end):
                yield *found.span(), cost


def _cheapest(costs: dict[int, float], total: int, max_tokens: int) -> list[int]:
    """Return the tokens that chunks begin with, except for the first, so that cuts and room cost least."""
    at = np.array([0, *costs, total])
    cut = [0.0, *costs.values(), 0.0]
    room = _ROOM * (1 - np.arange(min(max_tokens, total) + 1) / max_tokens) ** 2  # by length of the chunk
    best, came_from = np.zeros(len(at)), [0] * len(at)
    for j, first in enumerate(np.searchsorted(at, at - max_tokens).tolist()[1:], 1):
        sums = best[first:j] + room[at[j] - at[first:j]]
        cheapest = int(sums.argmin())
        came_from[j] = first + cheapest
        best[j] = sums[cheapest] + cut[j]
    cuts, j = [], came_from[-1]
    while j:
        cuts.append(int(at[j]))
        j = came_from[j]
    return cuts[::-1]


def _shared(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the headings that all paths begin with."""
    if not paths:
        return ()
    low, high = min(paths), max(paths)  # what the outermost two in the order have in common, all have
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[:length]


class _Locator:
    """Finds what the blocks of a document say about a part of it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._starts = [block.start for block in document.blocks]
        self._ends = [block.end for block in document.blocks]

    def chunk(self, ids: list[int], start: int, stop: int) -> Chunk:
        text = self._document.text[start:stop]
        first, last = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
        blocks = self._document.blocks[bisect_right(self._ends, first) : bisect_left(self._starts, last)]
        pages = [block.page for block in blocks if block.page is not None]
        headings = _shared([block.headings for block in blocks])
        return Chunk(ids, text, (min(pages), max(pages)) if pages else None, headings, start)


def _split_equally(
    document: Document,
    tokenizer: Any,
    tokens: _Tokens,
    max_tokens: int,
    prefix_ids: Sequence[int],
    suffix_ids: Sequence[int],
) -> list[Chunk]:
    """Cut as the reference does, the template's own tokens counted in."""
    from mlx_hypernet.format.chunking import split
    from mlx_hypernet.format.template import document_ids

    ids = document_ids(tokenizer, document.text)
    chunks = split(ids, max_tokens, prefix_ids, suffix_ids)
    total, locate = len(tokens.ids), _Locator(document)
    length = math.ceil(len(ids) / math.ceil(len(ids) / max_tokens))
    front = next((k for k in range(len(ids) - total + 1) if ids[k : k + total] == tokens.ids), None)
    if front is None:  # the template joins its letters with the text's: then nobody knows the places
        return [Chunk(chunk, tokenizer.decode(chunk, skip_special_tokens=True), None, (), 0) for chunk in chunks]
    edges = [min(max(k * length - front, 0), total) for k in range(len(chunks) + 1)]
    return [
        locate.chunk(chunk, *tokens.span(first, after))
        for chunk, first, after in zip(chunks, edges, edges[1:], strict=False)
    ]
