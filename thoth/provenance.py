"""Where an answer comes from: an adapter cannot cite, so the passage is looked for in the stored text afterwards."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thoth import sentences
from thoth.events import Passage
from thoth.ingest import Document
from thoth.terms import Rarity, mass, names, terms

if TYPE_CHECKING:
    from thoth.library import StoredChunk, StoredDocument

_MOST = 3
# Least score of a passage that is named. A sentence that has all of a short answer by chance, in a chunk that speaks of
# something else, comes to 0.2; half of an answer, of what was asked, to 0.4.
_LEAST = 0.35
_LONGEST_QUOTE = 600  # letters; a page without a full stop is no quote

_REFUSAL = re.compile(
    r"(?:(?:i am|i'm) sorry,? (?:but )?)?(?:i (?:do not|don't|cannot|can't) (?:know|say|tell|answer|find)\b"
    r"|(?:it is |that is )?(?:unknown|not (?:known|found|mentioned|stated))\b|unanswerable\b)",
    re.IGNORECASE,
)
_BARE = frozenset(("yes", "no", "correct", "true", "false", "indeed"))
# Where a passage can end besides a sentence: an empty line, the next item, the next row of a table.
_BREAK = re.compile(r"\n[ \t]*\n\s*|\n[ \t]*(?=(?:[-*+\u2022]|\d{1,9}[.)])[ \t])|(?<=[^\n])\n(?=[^\n]* \| )")


@dataclass(frozen=True)
class _Sentence:
    """A sentence of a chunk, and what it and the whole chunk speak of."""

    document: StoredDocument
    chunk: StoredChunk
    start: int  # in the chunk's text
    text: str
    terms: frozenset[str]
    around: frozenset[str]


def support(
    question: str,
    answer: str,
    passages: Iterable[tuple[StoredDocument, StoredChunk]],
    read: Callable[[str], Document] | None = None,
) -> tuple[Passage, ...]:
    """Find the sentences that support an answer.

    Each sentence of the answer is looked for by itself. A stored sentence scores the share of the answer's words that
    it has, times the share of answer and question that it and its chunk have: rare words weigh more, names three
    times as much. So a short answer counts where its chunk speaks of what was asked, a long one speaks for itself. Of
    equal sentences that one counts which has more of the question's words.

    Args:
        question: what was asked, as `router.conversation_query` gives it.
        answer: what was answered.
        passages: where to look: chunks and the documents they belong to.
        read: gives the document of an id, to name the page of a quote from a chunk of several pages; without it
            such a quote has the chunk's first page.

    Returns:
        At most three passages, best first, each with a score of 0.35 to 1: at 1 all words of the answer are in one
        sentence, all those of the question in its chunk. None where nothing supports the answer, or it is a refusal.
    """
    if _REFUSAL.match(answer.strip().replace("\u2019", "'")):
        return ()
    asked = _asked(question)
    stored = _Stored([sentence for document, chunk in passages for sentence in _sentences(document, chunk)], asked)
    best: dict[int, float] = {}
    for said in _statements(answer, asked):
        score, place = stored.find(said)
        if score >= _LEAST:
            best[place] = max(score, best.get(place, 0.0))
    named = sorted(best, key=lambda place: (-best[place], place))[:_MOST]
    return tuple(_passage(stored.sentences[place], best[place], read) for place in named)


class _Stored:
    """The sentences among which support is looked for, and what of a question they speak of."""

    def __init__(self, sentences: list[_Sentence], asked: dict[str, float]) -> None:
        self.sentences = sentences
        self._rarity = Rarity(sentence.terms for sentence in sentences)
        weights = self._rarity.weigh(asked)
        self._asked = sum(weights.values())
        self._near = [mass(weights, sentence.terms) for sentence in sentences]
        self._around = [mass(weights, sentence.around) for sentence in sentences]

    def find(self, said: dict[str, float]) -> tuple[float, int]:
        """Return the score of the sentence that best supports a statement, and which one it is; 0 where none does."""
        weights = self._rarity.weigh(said)
        whole = sum(weights.values())
        best = (0.0, 0.0, 0)
        for place, sentence in enumerate(self.sentences):
            if found := mass(weights, sentence.terms):
                score = found / whole * (found + self._around[place]) / (whole + self._asked)
                best = max(best, (score, self._near[place], -place))
        return best[0], -best[2]


def _asked(question: str) -> dict[str, float]:
    """The question's words; names, which say what it is about, count three times."""
    return dict.fromkeys(terms(question), 1.0) | {term: 3.0 for name in names(question) for term in terms(name)}


def _statements(answer: str, asked: dict[str, float]) -> Iterator[dict[str, float]]:
    """What the answer says, sentence by sentence; a mere yes says what was asked."""
    if _BARE.issuperset(terms(answer)):
        yield asked if terms(answer) else {}
        return
    for _, text in _split(answer):
        yield dict.fromkeys(terms(text), 1.0)


def _sentences(document: StoredDocument, chunk: StoredChunk) -> Iterator[_Sentence]:
    around = frozenset(terms(" ".join((chunk.text, *chunk.headings, document.name))))
    for start, text in _split(chunk.text):
        yield _Sentence(document, chunk, start, text, frozenset(terms(text)), around)


def _split(text: str) -> Iterator[tuple[int, str]]:
    """Give (start, sentence) for each sentence of a text, also of lists and tables."""
    breaks = [*sentences.ends(text), *(found.span() for found in _BREAK.finditer(text))]
    start = 0
    for end, following in [*sorted(breaks), (len(text), len(text))]:
        if end <= start:
            start = max(start, following)
            continue
        sentence = text[start:end]
        lead = len(sentence) - len(sentence.lstrip())
        if sentence := sentence.strip():
            yield start + lead, sentence
        start = following


def _passage(sentence: _Sentence, score: float, read: Callable[[str], Document] | None) -> Passage:
    chunk = sentence.chunk
    quote = sentence.text
    if len(quote) > _LONGEST_QUOTE:
        quote = quote[:_LONGEST_QUOTE].rsplit(maxsplit=1)[0]
    return Passage(
        document=sentence.document.id,
        name=sentence.document.name,
        chunk=chunk.ref.number,
        page=_page(sentence, read),
        headings=chunk.headings,
        quote=quote,
        score=score,
    )


def _page(sentence: _Sentence, read: Callable[[str], Document] | None) -> int | None:
    chunk = sentence.chunk
    if chunk.pages is None:
        return None
    first, last = chunk.pages
    if first == last or read is None:
        return first
    blocks = read(sentence.document.id).blocks
    at = bisect_right(blocks, chunk.start + sentence.start, key=lambda block: block.start) - 1
    return blocks[at].page if at >= 0 else first
