"""Where sentences end. Careful rather than complete: a missed end costs little, a false one cuts a sentence in two."""

import re
from collections.abc import Iterator

# Possessive and anchored at the first mark, so that a page of dots takes linear time.
_STOP = re.compile(
    r"(?<![.!?\u2026])([.!?\u2026]++)[\"'\u201d\u2019\u00bb)\]]*+(\s++)"
    r"|[\u3002\uff01\uff1f\uff61]++[\u300d\u300f\u3011\uff09\u201d\u2019]*+(\s*+)"
)
_WORD_BEFORE = 24  # letters; no abbreviation is longer
_INITIALS = re.compile(r"\w|(?:\w\.)+\w")  # J. or U.S. or z.B.
_ORDINAL = re.compile(r"\d{1,2}")  # "3. Juni" and "1. Open the lid"

_ABBREVIATIONS = frozenset(
    """
    abb abs al anm apr approx art aufl aug bd bsp bzw ca cap cf ch chap co col corp dec def dept dr ed eds eq eqs esp
    est etc evtl ex feb fig figs ff fr ggf gen gov hr hrsg inc incl ing inkl jan jr jul jun kap lt ltd max med min mio
    mr mrs ms mme mlle nov nr no nos oct op orig p pp par ph pl pos prof prop ref refs rep resp rev sec sect sen sep
    sept sog sr st str tab tel thm univ usw vgl viz vol vols vs zit
    """.split()
)


def ends(text: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield (end of a sentence, begin of the next) for each sentence end between two places of a text.

    The end of the stretch itself is not among them.
    """
    stop = len(text) if stop is None else stop
    for found in _STOP.finditer(text, start, stop):
        following = found.end()
        if following >= stop:
            return
        if found[1] is None:  # full-width marks need no space behind them
            yield following - len(found[3]), following
        elif text[following].islower():
            continue
        elif found[1] != "." or _is_end(text[max(start, found.start() - _WORD_BEFORE) : found.start()]):
            yield following - len(found[2]), following


def is_complete(text: str) -> bool:
    """Tell whether a text ends as sentences do."""
    return bool(re.search(r"[.!?:\u2026\u3002\uff01\uff1f][\"'\u201d\u2019\u00bb)\]\u300d\u300f]*\s*\Z", text[-20:]))


def _is_end(before: str) -> bool:
    """Tell from the word in front of it whether a full stop ends a sentence."""
    words = before.split()
    if not words or before[-1].isspace():
        return True
    word = words[-1].lstrip("([\"'\u201c\u2018\u00ab")
    return not (word.lower() in _ABBREVIATIONS or _INITIALS.fullmatch(word) or _ORDINAL.fullmatch(word))
