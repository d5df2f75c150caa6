"""Numbers and dates as another text may spell them: "1,000" is 1000, "5th" fifth, "3 May 2024" 2024-05-03."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MONTHS = (
    "january february march april may june july august september october november december".split(),
    "jan feb mar apr may jun jul aug sept oct nov dec".split(),
)
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
_MONTH = {name: number for names in _MONTHS for number, name in enumerate(names, 1)} | {"sep": 9}
_NAMES = "|".join(sorted(_MONTH, key=len, reverse=True))
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})\.? (?:of )?({_NAMES})\.?,? (\d{{4}})\b", re.IGNORECASE)
_MONTH_FIRST = re.compile(rf"\b({_NAMES})\.? (\d{{1,2}}),? (\d{{4}})\b", re.IGNORECASE)
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_DOTTED = re.compile(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b")
_ORDINAL = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)\b(?= (?:of )?(?:" + _NAMES + r")\b)", re.IGNORECASE)
_ORDINAL_AFTER = re.compile(rf"\b((?:{_NAMES})\.? \d{{1,2}})(?:st|nd|rd|th)\b", re.IGNORECASE)
_GROUPED = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\w,]|\.\d)")
_LARGE = re.compile(r"(?<![\w.,-])\d{4,9}(?![\w-]|[.,]\d)")
# Smaller numbers are everywhere, larger ones seldom in words.
_CARDINALS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_IN_WORDS = (
    {str(number): word for number, word in enumerate(_CARDINALS, 10)}
    | {str(number): word for number, word in zip(range(20, 100, 10), _TENS, strict=True)}
    | {f"{number}{'th' if number > 3 else _ENDINGS[number]}": word for number, word in enumerate(_ORDINALS, 1)}
)
_IN_DIGITS = {word: number for number, word in _IN_WORDS.items()}
_SMALL = dict(enumerate("one two three four five six seven eight nine".split(), 1))
_EXACT = re.compile(r"(?<![\w.,])\d+(?:,\d{3})*(?![\w.,]*\d)")  # "1450", which is 1450.00
_ROUND = re.compile(r"(?<![\w.,])(\d+(?:,\d{3})*)[.]00(?!\d)")
_SPACED = re.compile(r"(?<![\w.,])\d{1,3}(?:['\u2019\u00a0\u2009\u202f]\d{3})+(?![\w,.]*\d)")
_UNIT = re.compile(
    r"(?<![\w])(\d+(?:[.,]\d+)*) ?"
    r"(k?m|[cmn]m|m?g|kg|[cm]?l|h|min|m?s|k?wh?|k?v|m?a|[kmg]?hz|[kmgt]b|k?pa|bar|rpm|kcal|kj|[ap]m|ft|lbs?|oz|mph)\b",
    re.IGNORECASE,
)
_SIGNS = {"%": "percent", "$": "dollar", "\u20ac": "euro", "\u00a3": "pound", "\u00a5": "yen"}
_YEARS = range(1900, 2100)  # nobody writes these in groups


def plain(question: str) -> str:
    """Return a question with numbers in one piece, and days of a month without their ending: "1000", "3 of May"."""
    question = _ORDINAL_AFTER.sub(r"\1", _ORDINAL.sub(r"\1", question))
    return _GROUPED.sub(lambda number: number[0].replace(",", ""), question)


def others(question: str) -> list[str]:
    """Return how else the dates and large numbers of a question are spelled, each once.

    Args:
        question: as `plain` gives it.
    """
    found: dict[str, None] = {}
    for year, month, day in _dates(question):
        written = f"{day} {_MONTHS[0][month - 1]} {year}"
        for spelled in (f"{year}-{month:02}-{day:02}", f"{day:02}.{month:02}.{year}", f"{day}.{month}.{year}", written):
            found[spelled] = None
    for number in _LARGE.findall(question):
        if in_groups := grouped(number):
            found[in_groups] = None
    return [spelled for spelled in found if spelled.casefold() not in question.casefold()]


def in_other_words(question: str) -> list[str]:
    """Return the numbers of a question in words where it has digits, and in digits where it has words.

    Args:
        question: a question, or one word of it.
    """
    words = [word.casefold() for word in re.findall(r"[^\W_]+", question)]
    known = {word: _IN_WORDS.get(word) or _IN_DIGITS.get(word) for word in words}
    return [other for other in known.values() if other and other not in words]


def equals(text: str) -> list[str]:
    """Return how else numbers, dates and amounts of a text are written: as words or digits, with unit or sign apart.

    Args:
        text: a stored sentence; each of the spellings stands for something that it says.
    """
    found = [*others(plain(text)), *in_other_words(text)]
    words = {word.casefold() for word in re.findall(r"[^\W_]+", text)}
    for number, word in _SMALL.items():
        found += [word] if str(number) in words else [str(number)] if word in words else []
    found += [f"{number.replace(',', '')}.00" for number in _EXACT.findall(text)]
    found += _ROUND.findall(text)
    found += [re.sub(r"\D", "", number) for number in _SPACED.findall(text)]
    for number, unit in _UNIT.findall(text):
        found += [f"{number} {unit}", f"{number}{unit}"]
    return [*found, *(word for sign, word in _SIGNS.items() if sign in text)]


def grouped(number: str) -> str | None:
    """Return a large number in groups of three digits, "12,500"; None for a year and for what is no large number."""
    if not (number.isascii() and number.isdigit() and len(number) > 3) or int(number) in _YEARS:
        return None
    return f"{int(number):,}"


def as_written(found: str) -> str:
    """Return a word that a pattern found as the pattern spells it: it ignores case, and the dot of Turkish letters."""
    return found.casefold().replace("\u0131", "i")


def _dates(question: str) -> Iterator[tuple[int, int, int]]:
    """Give year, month and day of each date."""
    found = [(int(one[3]), _MONTH[as_written(one[2])], int(one[1])) for one in _DAY_FIRST.finditer(question)]
    found += [(int(one[3]), _MONTH[as_written(one[1])], int(one[2])) for one in _MONTH_FIRST.finditer(question)]
    found += [(int(one[1]), int(one[2]), int(one[3])) for one in _ISO.finditer(question)]
    found += [(int(one[3]), int(one[2]), int(one[1])) for one in _DOTTED.finditer(question)]
    return (one for one in found if 1 <= one[1] <= 12 and 1 <= one[2] <= 31)
