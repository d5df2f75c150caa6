"""What a question points at: a document ("the PDF", "the last one I added"), a page, a chapter, or a whole text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from thoth.retrieval import spellings
from thoth.retrieval.terms import terms
from thoth.system import spelling
from thoth.system.spelling import fold

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument

_DETERMINER = r"(?:the|this|that|these|those|my|our|your|both|all|each|every|another|an?)"
_NEWEST = r"(?:the |my |our )?(?:last|latest|newest|most recent)"
_ITEM = r" (?:one|document|file|text|paper|note)"
_ADDING = r"(?: that)?(?: i| we| was)?(?:'ve| have)? (?:just )?(?:added|absorbed|dropped|uploaded|imported)"
# "The last one I added", or "the latest document" where no word follows that says which one else: "signed by Ana".
_LATEST = re.compile(
    rf"\b{_NEWEST}(?:(?:{_ITEM})?{_ADDING}\b| (?:document|file)(?=\W*\Z|[?.!,;:]|\s+(?:about|says?|said|tells?|is|and|"
    r"or|in|as|for|to|with|mentions?|contains?|covers?|states?|means?|describes?)\b))",
    re.IGNORECASE,
)
_KINDS = {
    "pdf": (".pdf",),
    "word document": (".docx", ".doc"),
    "spreadsheet": (".xlsx", ".csv", ".tsv"),
    "presentation": (".pptx",),
    "slides": (".pptx",),
    "notebook": (".ipynb",),
    "e-book": (".epub",),
    "ebook": (".epub",),
    "web page": (".html", ".htm"),
    "webpage": (".html", ".htm"),
    "text file": (".txt", ".md"),
    "markdown file": (".md",),
    "source code": (".py", ".js", ".ts", ".c", ".h", ".cpp", ".rs", ".go", ".java", ".rb", ".swift"),
}
_KIND = re.compile(rf"\b{_DETERMINER}?\s*({'|'.join(map(re.escape, _KINDS))})s?\b", re.IGNORECASE)
_PLURAL = re.compile(r"^(?:both|all|each|every|these|those)\b|s$", re.IGNORECASE)
_GENERIC = re.compile(
    rf"\b{_DETERMINER} (?:(?:whole|entire|full|first|second|third|current|new|old|same|attached|uploaded|given) )?"
    r"(?:(?:document|file|text|paper|article|book|note|attachment|upload)s?|library)\b",
    re.IGNORECASE,
)
_PAGE = re.compile(
    r"\b(?:pages?|pp?\.|slides?|sheets?)\s*(\d{1,5})(?:\s*(?:-|\u2013|to|and)\s*(\d{1,5}))?\b", re.IGNORECASE
)
_PART = re.compile(
    r"\b(?:the )?(chapter|section|part|appendix|article|paragraph|clause)\s+(\d+(?:\.\d+)*|[ivxlc]+|[a-h])\b",
    re.IGNORECASE,
)
_WHOLE = re.compile(
    r"\b(?:summari[sz]e|summary|sum up|tl;?\s?dr|tldr|outline|overview|gist|key (?:points|facts|takeaways)|"
    r"main (?:points|ideas?|topics?)|in (?:a nutshell|short|brief)|compare|comparison|translate|rewrite|paraphrase|"
    r"proofread|table of contents|abstract|list (?:all|every|everything|the)|everything (?:in|about)|"
    r"what(?:'s| is| are) [^.?!]{1,40}? about|what does it say)\b",
    re.IGNORECASE,
)
_WIDE_WHOLE = re.compile(
    "总结|概括|概述|归纳|摘要|翻译|讲了什么|讲的是什么|主要内容|比较|要約|まとめ|概要|翻訳|要点|何が書いて|比較"
)
_INTO = re.compile(
    r"\b(?:in|into|to|from) (?:plain |simple )?(?:english|german|french|spanish|italian|dutch|portuguese|polish|"
    r"russian|chinese|japanese|korean|arabic|turkish|hindi|swedish|danish|greek|latin)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Pointing:
    """What a question points at, besides what it says.

    Attributes:
        documents: ids of the documents that alone are meant; None where any may be.
        favoured: ids of documents whose names the question mentions.
        mentioned: terms of the question that are such names.
        named: ids of documents whose whole names the question has: with the suffix, or all words without it.
        pages: first and last page that are asked for.
        part: what a heading must begin with, such as "chapter 3".
        whole: whole texts are asked for, as in a summary.
        points: some of this, or a word such as "the document", is in the question.
        one: one of `documents` is meant, and nothing says which: "the PDF".
        rest: the question without the words that point.
    """

    documents: frozenset[str] | None
    favoured: frozenset[str]
    mentioned: frozenset[str]
    named: frozenset[str]
    pages: tuple[int, int] | None
    part: str | None
    whole: bool
    points: bool
    one: bool
    rest: str


def pointing(question: str, documents: Sequence[StoredDocument]) -> Pointing:
    """Find what a question points at.

    Args:
        question: made by `query.conversation_query`.
        documents: those that may be meant.
    """
    rest, meant, points, one = question, None, False, False
    said = frozenset(terms(question))
    named = {one.id for one in documents if (stem := terms(PurePath(one.name).stem)) and said.issuperset(stem)}
    for document in sorted(documents, key=lambda one: -len(one.name)):  # "report.pdf" is in "annual report.pdf"
        if _is_telling(document.name) and (place := spelling.find(rest, document.name)):
            rest = f"{rest[: place[0]]} {rest[place[1] :]}"
            meant = (meant or frozenset()) | {document.id}
            named.add(document.id)
    if meant is None and documents and _LATEST.search(rest):
        meant = frozenset({max(documents, key=lambda document: document.added).id})
        rest = _LATEST.sub(" ", rest, count=1)
    for kind in _KIND.finditer(rest):
        of_kind = frozenset(one.id for one in documents if _suffix(one.name) in _KINDS[spellings.as_written(kind[1])])
        one = meant is None and len(of_kind) > 1 and not _PLURAL.search(kind[0])
        meant = meant or of_kind or None
        points = True
    rest = _KIND.sub(" ", rest)
    mentions = _mentions(rest, documents)
    points = points or meant is not None or bool(_GENERIC.search(rest))
    rest = _GENERIC.sub(" ", rest)
    pages = part = None
    if found := _PAGE.search(rest):
        first, last = sorted((int(found[1]), int(found[2] or found[1])))
        pages = (first, last)
        rest = _PAGE.sub(" ", rest)
    if found := _PART.search(rest):
        part = f"{found[1]} {found[2]}".casefold()
        rest = _PART.sub(" ", rest)
    whole = bool(_WHOLE.search(rest) or _WIDE_WHOLE.search(rest))
    rest = _INTO.sub(" ", _WIDE_WHOLE.sub(" ", _WHOLE.sub(" ", rest)) if whole else rest)
    points = points or whole or pages is not None or part is not None
    mentioned = frozenset().union(*mentions.values())
    named &= meant or frozenset(mentions)
    return Pointing(meant, frozenset(mentions), mentioned, frozenset(named), pages, part, whole, points, one, rest)


def _is_telling(name: str) -> bool:
    """Whether a name in a question means the document: "rent.pdf" does, "rent" may be what is asked about."""
    return len(name) > 3 and (bool(PurePath(name).suffix) or len(terms(name)) > 1)


def _suffix(name: str) -> str:
    return PurePath(name).suffix.casefold()


def _mentions(question: str, documents: Iterable[StoredDocument]) -> dict[str, frozenset[str]]:
    """Documents whose name has words in the question, by id; words that all names share, and suffixes, say nothing.

    Of "the washer manual" a document "coffee manual" is not meant: another one has all its words and more. A name in a
    script without spaces counts as a whole.
    """
    asked, text = frozenset(terms(question)), fold(question)
    named: dict[str, frozenset[str]] = {}
    for one in documents:
        stem = PurePath(one.name).stem
        letters = frozenset(terms(stem)) if fold(stem) in text else frozenset[str]()
        named[one.id] = letters | frozenset(word for word in terms(stem) if len(word) > 2)
    shared = frozenset.intersection(*named.values()) if len(named) > 1 else frozenset()
    found = {id: those for id, words in named.items() if (those := (words - shared) & asked)}
    return {id: those for id, those in found.items() if not any(those < others for others in found.values())}
