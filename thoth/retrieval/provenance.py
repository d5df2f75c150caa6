"""Where an answer comes from: an adapter cannot cite, so the passage is looked for in the stored text afterwards."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thoth.events import Passage
from thoth.ingest import Document, sentences
from thoth.retrieval.terms import Rarity, mass, names, terms

if TYPE_CHECKING:
    from thoth.library.library import Library
    from thoth.library.records import ChunkRef, StoredChunk, StoredDocument

_MOST = 3
_MOST_CHUNKS = 16  # that are searched
# Least score of a passage that is named. On nano's notes right answers score 0.57 and more in the passage they come
# from; of answers that stand by chance in a chunk about something else, 5% reach 0.5.
_LEAST = 0.5
_NAME_COUNT = 3.0
_LONGEST_QUOTE = 600  # letters; a page without a full stop is no quote

_REFUSAL = re.compile(
    r"(?:(?:i am|i'm) sorry,? (?:but )?)?(?:i (?:do not|don't|cannot|can't) (?:know|say|tell|answer|find)\b"
    r"|(?:it is |that is )?(?:unknown|not (?:known|found|mentioned|stated))\b|unanswerable\b)",
    re.IGNORECASE,
)
_BARE = frozenset(("yes", "no", "correct", "true", "false", "indeed"))
# Where a passage can end besides a sentence: an empty line, the next item, the next row of a table.
_BREAK = re.compile(r"\n[ \t]*\n\s*|\n[ \t]*(?=(?:[-*+\u2022]|\d{1,9}[.)])[ \t])|(?<=[^\n])\n(?=[^\n]* \| )")


def is_refusal(answer: str) -> bool:
    """Tell whether an answer only says that there is none."""
    return _REFUSAL.match(answer.strip().replace("\u2019", "'")) is not None


@dataclass(frozen=True)
class _Sentence:
    """A sentence of a chunk, and what it and the whole chunk speak of."""

    document: StoredDocument
    chunk: StoredChunk
    start: int  # in the chunk's text
    text: str
    terms: frozenset[str]
    around: frozenset[str]


def sources(
    library: Library, question: str, answer: str, documents: Sequence[StoredDocument], used: Sequence[ChunkRef]
) -> tuple[Passage, ...]:
    """Find the passages of a library that support an answer: in the chunks it came from, then in others like it.

    Args:
        library: holds the documents.
        question: what was asked, as `router.conversation_query` gives it.
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
    return found([ref for ref, _ in alike if ref not in near])


def support(
    question: str,
    answer: str,
    passages: Iterable[tuple[StoredDocument, StoredChunk]],
    read: Callable[[str], Document] | None = None,
) -> tuple[Passage, ...]:
    """Find the sentences that support an answer.

    Each sentence of the answer is looked for by itself. A stored sentence scores the share of the answer's words that
    it has, times the share of answer and question that it and its chunk have: rare words weigh more, the question's
    names most. So a short answer counts where its chunk speaks of what was asked, a long one speaks for itself. Of
    equal sentences that one counts which has more of the question's words.

    Args:
        question: what was asked, as `router.conversation_query` gives it.
        answer: what was answered.
        passages: where to look: chunks and the documents they belong to.
        read: gives the document of an id, to name the page of a quote from a chunk of several pages; without it
            such a quote has the chunk's first page.

    Returns:
        At most three passages, best first, each with a score of 0.5 to 1: at 1 all words of the answer are in one
        sentence, all those of the question in its chunk. None where nothing supports the answer, or it is a refusal.
    """
    if is_refusal(answer):
        return ()
    stored = _Stored([sentence for document, chunk in passages for sentence in _sentences(document, chunk)], question)
    best: dict[int, float] = {}
    for said in stored.statements(answer):
        score, place = stored.find(said)
        if score >= _LEAST:
            best[place] = max(score, best.get(place, 0.0))
    named = sorted(best, key=lambda place: (-best[place], place))[:_MOST]
    return tuple(_passage(stored.sentences[place], best[place], read) for place in named)


class _Stored:
    """The sentences among which support is looked for, and what of a question they speak of."""

    def __init__(self, sentences: list[_Sentence], question: str) -> None:
        self.sentences = sentences
        self._rarity = Rarity(sentence.terms for sentence in sentences)
        # A word of the question that is nowhere is another way to ask; a name that is nowhere is another thing.
        known = frozenset[str]().union(*(sentence.around for sentence in sentences))
        self._asked = {term: self._rarity.of(term) for term in terms(question) if term in known}
        # Rare or not, a name says what is asked about: a chunk about Velmar has it in each sentence.
        self._asked |= {term: _NAME_COUNT * self._rarity.highest for name in names(question) for term in terms(name)}
        self._near = [mass(self._asked, sentence.terms) for sentence in sentences]
        self._around = [mass(self._asked, sentence.around) for sentence in sentences]

    def statements(self, answer: str) -> Iterator[dict[str, float]]:
        """What an answer says, sentence by sentence, as weighted terms; a mere yes says what was asked."""
        if (said := terms(answer)) and _BARE.issuperset(said):
            yield self._asked
            return
        for _, text in _split(answer):
            yield {term: self._rarity.of(term) for term in terms(text)}

    def find(self, said: dict[str, float]) -> tuple[float, int]:
        """Return the score of the sentence that best supports a statement, and which one it is; 0 where none does."""
        whole, asked = sum(said.values()), sum(self._asked.values())
        best = (0.0, 0.0, 0)
        for place, sentence in enumerate(self.sentences):
            if found := mass(said, sentence.terms):
                score = found / whole * (found + self._around[place]) / (whole + asked)
                best = max(best, (score, self._near[place], -place))
        return best[0], -best[2]


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
