"""What a sentence claims beyond its words: that something is so or not, and bounds, signs and currency of numbers.

An answer with all words of a stored sentence may still say the opposite: "pets are allowed" of "pets are not allowed".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from thoth.retrieval.terms import terms

_YES = frozenset("yes correct true indeed right ja oui si".split())
_NO = frozenset("no incorrect false wrong nein non nee".split())
# "Yes, ..." and "No: ..." say nothing that the rest does not say.
_LEAD = re.compile(
    rf"\s*\b(?:{'|'.join(sorted(_YES | _NO))})\b\s*(?:[,.;:!\u2013\u2014]|\s-\s)\s*(?=\w)",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:not|cannot|never|none|nobody|nothing|nowhere|neither|nor|no(?!\b\.? ?\d)|nicht|kein(?:e[nmrs]?)?|"
    r"nie|niemals|pas|jamais|aucune?|nunca|ning[u\u00fa]n[ao]?|non|nessun[ao]?|niet|geen|nooit)\b"
    r"|\wn['\u2019]t\b|\u4e0d|\u6ca1\u6709|\u672a|\u306a\u3044|\u307e\u305b\u3093",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"[,;:()\u2013\u2014\u3001\uff0c\uff1b]|\b(?:and|but|or|while|whereas|although|und|aber|oder|et|mais|ou|y|pero|e|ma|maar)\b",
    re.IGNORECASE,
)
# Words that make a statement of an answer; one without them, "50 bar" of "do not exceed 50 bar", denies nothing.
_STATES = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|do|does|did|can|could|may|might|must|shall|should|will|would|"
    r"ist|sind|war|hat|haben|darf|d\u00fcrfen|kann|muss|est|sont|peut|doit|es|son|puede|debe|pu\u00f2|deve|mag|kan|moet)\b",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"(?:\b(?:(from|since|after|over|above|exceeding|more than|at least|later than|ab|seit|nach)|"
    r"(until|till|before|by|under|below|less than|at most|up to|bis|vor))\s+(?:[^\W\d]+\s+){0,2})?"
    r"((?:(?<![\w.,)\]])[-\u2212\u2013]|\bminus )?)[$\u20ac\u00a3\u00a5]?(\d+(?:[.,]\d+)*)"
    r"(\s?(?:%|per ?cent\b|prozent\b|pour cent\b|por ciento\b|per cento\b))?",
    re.IGNORECASE,
)
_CURRENCIES = (
    re.compile(r"\$|\b(?:dollars?|USD)\b", re.IGNORECASE),
    re.compile(r"\u20ac|\b(?:euros?|EUR)\b", re.IGNORECASE),
    re.compile(r"\u00a3|\bGBP\b", re.IGNORECASE),
    re.compile(r"\u00a5|\b(?:yen|JPY|yuan|RMB)\b", re.IGNORECASE),
)
_LEAST_STEM = 3


class _Amount(NamedTuple):
    """A number in a text: its value in one spelling, which side it bounds, its minus and its percent sign."""

    number: str
    bound: str
    negative: bool
    percent: bool


def verdict(text: str) -> bool | None:
    """Return True for an answer that is only a yes, False for one that is only a no, None for any other."""
    said = frozenset(terms(text))
    if said and _YES.issuperset(said):
        return True
    return False if said and _NO.issuperset(said) else None


def without_verdict(answer: str) -> str:
    """Return an answer without the yes or no that it begins with; one that is nothing else stays."""
    return _LEAD.sub("", answer, count=1) if _LEAD.match(answer) else answer


def begins_with_not(question: str) -> bool:
    """Tell whether a question expects a yes: "isn't it ..."."""
    return re.match(r"\W*\w+n['\u2019]t\b", question) is not None


def denies(text: str, about: Collection[str] = ()) -> bool:
    """Tell whether a sentence says that something is not so.

    Args:
        text: a sentence.
        about: terms; of several clauses only the one that has most of them counts.
    """
    if not _NOT.search(text):
        return False
    clauses = list(filter(str.strip, _CLAUSE.split(text)))
    most = max(clauses, key=lambda clause: len({*terms(clause)} & {*about})) if about and clauses else text
    return _NOT.search(most) is not None


def has_all(stored: Collection[str], asked: Collection[str]) -> bool:
    """Tell whether a text has all of some terms, in any form: "found" of "founded"."""
    return all(any(_is_akin(word, other) for other in stored) for word in asked)


def contradicts(answer: str, stored: str, about: Collection[str]) -> bool:
    """Tell whether a stored sentence with the words of an answer says something else.

    Args:
        answer: a sentence of the answer.
        stored: a sentence.
        about: terms that both have.
    """
    if denies(answer) != denies(stored, about) and (denies(answer) or _STATES.search(answer)):
        return True
    said, there = ({place for place, one in enumerate(_CURRENCIES) if one.search(text)} for text in (answer, stored))
    if there and said - there:
        return True
    amounts = list(_amounts(stored))
    return any(not _fits(one, [other for other in amounts if other.number == one.number]) for one in _amounts(answer))


def _fits(said: _Amount, stored: Sequence[_Amount]) -> bool:
    """Whether one of the same numbers of a stored sentence may be meant; none is there if it is written otherwise."""
    bounds = {other.bound for other in stored} - {""}
    if said.bound and bounds and said.bound not in bounds:
        return False
    return not stored or any(one.negative == said.negative and one.percent >= said.percent for one in stored)


def _amounts(text: str) -> Iterator[_Amount]:
    for lower, upper, sign, number, percent in _AMOUNT.findall(text):
        yield _Amount(terms(number)[0], "lower" if lower else "upper" if upper else "", bool(sign), bool(percent))


def _is_akin(word: str, other: str) -> bool:
    shorter, longer = sorted((word, other), key=len)
    return word == other or (len(shorter) >= _LEAST_STEM and longer.startswith(shorter) and not word[0].isdigit())
