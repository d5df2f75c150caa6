"""Where an answer comes from: an adapter cannot cite, so the passage is looked for in the stored text afterwards."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from thoth.events import Passage
from thoth.ingest import Document, sentences
from thoth.library.records import ChunkRef, StoredChunk, document_id
from thoth.retrieval import claims, spellings
from thoth.retrieval.query import about
from thoth.retrieval.terms import ASKING_WORDS, FUNCTION_WORDS, Rarity, content, mass, names, terms

if TYPE_CHECKING:
    from thoth.library.library import Library
    from thoth.library.records import StoredDocument

_MOST = 3
_MOST_CHUNKS = 16  # that are searched
# Least score of a passage that is named: on nano 98% of what is called supported is right, and all that is right is
# called so (benchmarks/support.py).
_LEAST = 0.6
# How much a word of the question counts that stands in the sentence or, if it is a name, in the one before it and the
# one before that, which "it" can mean; in the headings above or the name of the document; elsewhere in the chunk.
_BEFORE, _HEADING, _AROUND = (1.0, 0.5, 0.25), 0.5, 0.2
_NAME_COUNT = 3.0
# What a nat of the matcher's log-odds counts beside the share of the question that a sentence covers: the two chosen
# sentences have the answer to 91% of 64 questions about notes of four facts, without to 75%; examples 90, 87%.
_ANSWERS_COUNT = 0.2
_LONGEST_QUOTE = 600  # letters; a page without a full stop is no quote

_SOURCE = (
    r"(?:the |this |that |your )?(?:documents?|texts?|passages?|notes?|files?|context|contract|lease|manual|report|"
    r"article|paper|book|letter|page)"
)
_GIVE = (
    r"(?:contain|provide|include|give|have) (?:an? |any |the |enough |such |this )*"
    r"(?:information|answer|details?|mention)"
)
_REFUSAL = re.compile(
    r"(?:(?:i am|i'm) (?:sorry|afraid),? (?:but )?)?"
    r"(?:i (?:do not|don't|cannot|can't|could not|couldn't) (?:know|say|tell|answer|find|determine)\b"
    r"|(?:i have |there is |there's )?no (?:such )?(?:information|mention|answer)\b"
    r"|(?:(?:it|that|this)(?: is|'s) )?(?:unknown|not (?:known|found|mentioned|stated|given|specified"
    r"|in the (?:document|text)s?))\b"
    rf"|{_SOURCE} (?:do(?:es)? not|don't|doesn't) (?:\w+ly )?(?:(?:say|mention|state|tell|specify|answer)\b|{_GIVE}\b)"
    rf"|{_SOURCE} (?:gives? no answer|says? nothing)\b|unanswerable\b)",
    re.IGNORECASE,
)
# Function words that can be all of an answer.
_QUANTITIES = frozenset("all both each either every neither never none once one until with without".split())
# A question whose answer adds something: it names what the question does not.
_OPEN = re.compile(r"\W*(?:(?:and|but|so|then)\b\W*)?(?:who|whom|whose|what|when|where|why|how)\b", re.IGNORECASE)
# Where a passage can end besides a sentence: an empty line, the next item, the next row of a table.
_BREAK = re.compile(r"\n[ \t]*\n\s*|\n[ \t]*(?=(?:[-*+\u2022]|\d{1,9}[.)])[ \t])|(?<=[^\n])\n(?=[^\n]* \| )")


def is_refusal(answer: str) -> bool:
    """Tell whether an answer only says that there is none."""
    return _REFUSAL.match(answer.strip().replace("\u2019", "'")) is not None


class _Titled(Protocol):
    """A document as far as a passage names it."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


@dataclass(frozen=True)
class _Unstored:
    """A document that is not in the library."""

    id: str
    name: str


@dataclass(frozen=True)
class _Statement:
    """What a sentence of an answer adds to the question.

    Attributes:
        text: the sentence.
        terms: the weighted terms that it adds; those of the question where it adds nothing.
        exact: those of them that must be in a stored sentence.
        verdict: True for no more than a yes, False for a no.
    """

    text: str
    terms: dict[str, float]
    exact: frozenset[str] = frozenset()
    verdict: bool | None = None


@dataclass(frozen=True)
class _Sentence:
    """A sentence of a chunk; its terms, those of the headings above with the document's name, and all of them."""

    document: _Titled
    chunk: StoredChunk
    start: int  # in the chunk's text
    text: str
    terms: frozenset[str]
    headings: frozenset[str]
    around: frozenset[str]


def sources(
    library: Library, question: str, answer: str, documents: Sequence[StoredDocument], used: Sequence[ChunkRef]
) -> tuple[Passage, ...]:
    """Find the passages of a library that support an answer: in the chunks it came from, then in others like it.

    Args:
        library: holds the documents.
        question: what was asked, as `query.conversation_query` gives it.
        answer: what was answered.
        documents: the active ones.
        used: the chunks that were attached or read; without any, nothing is looked for.

    Returns:
        As `support`.
    """
    named = {document.id: document for document in documents}

    def found(refs: Sequence[ChunkRef]) -> tuple[Passage, ...]:
        passages = [(named[ref.document], library.chunk(ref)) for ref in refs]
        return support(question, answer, passages, library.document)

    if not used:
        return ()
    near = used if len(used) <= _MOST_CHUNKS else []
    if passages := found(near):
        return passages
    alike = library.search(f"{question} {answer}", list(named), _MOST_CHUNKS)
    return found([*near, *(ref for ref, _ in alike if ref not in near)])


def sources_read(
    library: Library, question: str, answer: str, documents: Sequence[Document], bundle: str
) -> tuple[Passage, ...]:
    """Find the passages that support an answer in documents that were read whole, in the context.

    Args:
        library: holds some of them, which then have chunks with headings and pages; the others count as one chunk.
        question: as `sources`.
        answer: what was answered.
        documents: as they were read.
        bundle: id of the bundle in use.

    Returns:
        As `support`.
    """
    texts: dict[str, Document] = {}
    passages: list[tuple[_Titled, StoredChunk]] = []
    for document in documents:
        found = (library.find(document.sha256, bundle, chunking) for chunking in ("meaning", "tokens"))
        if stored := next(filter(None, found), None):
            texts[stored.id] = document
            passages += [(stored, chunk) for chunk in library.chunks(stored.id)]
        else:
            id = document_id(document.sha256, bundle, "meaning")
            texts[id] = document
            pages = None if document.pages is None else (1, document.pages)
            passages.append(
                (_Unstored(id, document.name), StoredChunk(ChunkRef(id, 0), document.text, pages, (), 0, 0))
            )
    return support(question, answer, passages, texts.__getitem__)


def support(
    question: str,
    answer: str,
    passages: Iterable[tuple[_Titled, StoredChunk]],
    read: Callable[[str], Document] | None = None,
) -> tuple[Passage, ...]:
    """Find the sentences that support an answer.

    Each sentence of the answer is looked for by itself. A stored sentence scores the share that it has of what the
    answer adds to the question, times how much of the question it covers: as a share of the question's words, names
    most, and relative to the stored sentence that covers most of it. So the value of something else is no support
    where another sentence is closer to the question, and a long answer to a broad question speaks for itself. Names
    and numbers of the answer must all be in the sentence, and the sentence must not deny what the answer affirms. An
    answer of which one sentence has names or numbers that no stored sentence has is not supported as a whole.

    Args:
        question: what was asked, as `query.conversation_query` gives it.
        answer: what was answered.
        passages: where to look: chunks and the documents they belong to.
        read: gives the document of an id, to name the page of a quote from a chunk of several pages; without it
            such a quote has the chunk's first page.

    Returns:
        At most three passages, best first, each with a score of 0.6 to 1: at 1 a sentence has all words of the answer
        and of the question. None where nothing supports the answer, or it is a refusal.
    """
    if is_refusal(answer):
        return ()
    stored = _Stored([sentence for document, chunk in passages for sentence in _sentences(document, chunk)], question)
    best: dict[int, float] = {}
    for said in stored.statements(answer):
        score, place, stated = stored.find(said)
        if said.exact and not stated:
            return ()
        if score >= _LEAST:
            best[place] = max(score, best.get(place, 0.0))
    named = sorted(best, key=lambda place: (-best[place], place))[:_MOST]
    return tuple(_passage(stored.sentences[place], best[place], read) for place in named)


def closest(
    library: Library,
    question: str,
    documents: Sequence[StoredDocument],
    chunks: Sequence[StoredChunk],
    most: int,
    answers: Mapping[ChunkRef, float | None] = MappingProxyType({}),
) -> tuple[Passage, ...]:
    """Find the sentences that cover most of a question, in the chunks that rather answer it.

    Args:
        library: holds the documents.
        question: as `sources`.
        documents: those that the chunks belong to, and others.
        chunks: where to look.
        most: how many sentences.
        answers: of chunks, the log-odds that they answer it.

    Returns:
        The sentences in the order of the chunks and in theirs, each with the share of the question that it covers.
    """
    named = {document.id: document for document in documents}
    stored = _Stored([one for chunk in chunks for one in _sentences(named[chunk.ref.document], chunk)], question)
    return tuple(
        _passage(stored.sentences[place], stored.about[place], library.document)
        for place in sorted(stored.closest(most, answers))
    )


class _Stored:
    """The sentences among which support is looked for, and the share of a question that each covers."""

    def __init__(self, sentences: list[_Sentence], question: str) -> None:
        self.sentences = sentences
        self._rarity = Rarity(sentence.terms for sentence in sentences)
        question = about(question)
        self._question = frozenset(terms(question))
        self._content = frozenset(terms(" ".join(content(question)))) - ASKING_WORDS
        self._denied = claims.denies(question) and not claims.begins_with_not(question)
        # A word of the question that is nowhere is another way to ask; a name that is nowhere is another thing.
        known = frozenset[str]().union(*(sentence.around for sentence in sentences)) - FUNCTION_WORDS
        self._asked = {term: self._rarity.of(term) for term in self._question & known}
        # Rare or not, a name says what is asked about: a chunk about Velmar has it in each sentence.
        self._named = frozenset(term for name in names(question) for term in terms(name))
        self._asked |= dict.fromkeys(self._named, _NAME_COUNT * self._rarity.highest)
        self._open = _OPEN.match(question) is not None and " or " not in question
        self.about = [self._speaks(place) for place in range(len(sentences))]

    def closest(self, most: int, answers: Mapping[ChunkRef, float | None]) -> list[int]:
        """The places of the sentences that cover most of the question, the best first."""
        fits = [
            covered + _ANSWERS_COUNT * (answers.get(sentence.chunk.ref) or 0.0)
            for covered, sentence in zip(self.about, self.sentences, strict=True)
        ]
        return sorted(range(len(fits)), key=lambda place: (-fits[place], place))[:most]

    def statements(self, answer: str) -> Iterator[_Statement]:
        """What an answer says, sentence by sentence; what an open question says already is no statement."""
        if (verdict := claims.verdict(answer)) is not None:
            yield _Statement(answer, self._asked, verdict=verdict)
            return
        for _, text in _split(claims.without_verdict(answer)):
            named = frozenset(term for name in _named(text) for term in terms(name))
            # "may" says nothing, and "23 May" is not 23 December.
            every = frozenset(terms(text)) - (FUNCTION_WORDS - named - _QUANTITIES)
            new = (every - (_QUANTITIES - named) or every) - self._question
            if not (new if self._open else every):
                continue
            exact = ({term for term in new if term[0].isdigit()} | named) & new
            yield _Statement(text, {term: self._rarity.of(term) for term in new} or self._asked, frozenset(exact))

    def find(self, said: _Statement) -> tuple[float, int, bool]:
        """Look for the sentence that best supports a statement.

        Returns:
            Its score, 0 where none does; which one it is; whether any says the same, whatever it speaks of.
        """
        whole, asked = sum(said.terms.values()), sum(self._asked.values())
        highest = max(self.about, default=0.0)
        best, stated = (0.0, 0.0, 0), False
        for place, (sentence, speaks) in enumerate(zip(self.sentences, self.about, strict=True)):
            found = mass(said.terms, sentence.terms)
            if not found or found < _LEAST * whole or not said.exact <= sentence.terms or self._differs(said, sentence):
                continue
            stated = True
            relative = speaks / highest if highest else 0.0
            absolute = (found + asked * speaks) / (whole + asked)
            best = max(best, (found / whole * relative * math.sqrt(absolute), speaks, -place))
        return best[0], -best[2], stated

    def _differs(self, said: _Statement, sentence: _Sentence) -> bool:
        """Whether a stored sentence with the words of a statement says something else."""
        if said.verdict is None:
            return claims.contradicts(said.text, sentence.text, said.terms.keys() & sentence.terms)
        denies = claims.denies(sentence.text, self._question & sentence.terms) != self._denied
        return denies == said.verdict or not claims.has_all(sentence.around, self._content)

    def _speaks(self, place: int) -> float:
        """Share of the question that a sentence covers; the words before and around it count less."""
        missing, found = dict(self._asked), 0.0
        if not missing:
            return 1.0
        here = self.sentences[place]
        for back, weight in enumerate(_BEFORE):
            if back > place or (sentence := self.sentences[place - back]).chunk is not here.chunk:
                break
            carried = missing.keys() if back == 0 else missing.keys() & self._named
            found += weight * sum(missing.pop(term) for term in sentence.terms & carried)
        found += _HEADING * sum(missing.pop(term) for term in here.headings & missing.keys())
        return (found + _AROUND * mass(missing, here.around)) / sum(self._asked.values())


def _named(text: str) -> list[str]:
    """The names of a sentence; of an answer such as "Osra Kelland" also its first word."""
    first, _, rest = text.partition(" ")
    leads = first[:1].isupper() and rest[:1].isupper() and not FUNCTION_WORDS.issuperset(terms(first))
    return [*names(text), *([first] if leads else [])]


def _sentences(document: _Titled, chunk: StoredChunk) -> Iterator[_Sentence]:
    headings, words, parts = _words(" ".join((*chunk.headings, document.name)), chunk.text)
    around = headings | words
    for start, text, every in parts:
        yield _Sentence(document, chunk, start, text, every, headings, around)


@lru_cache(maxsize=256)  # chunks: answers in a row mostly come from the same, and this is most of what support costs
def _words(
    headings: str, text: str
) -> tuple[frozenset[str], frozenset[str], tuple[tuple[int, str, frozenset[str]], ...]]:
    """The terms of the headings, those of the text, and its sentences: start, text and terms of each."""
    parts = [(start, part, frozenset(terms(" ".join((part, *spellings.equals(part)))))) for start, part in _split(text)]
    return frozenset(terms(headings)), frozenset(terms(text)), tuple(parts)


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
