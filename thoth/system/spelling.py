"""One spelling for what reads alike: names and words are typed in other ways than they are stored.

A Mac's disk has `é` in one character or two, as the program that wrote the name liked; keyboards type one.
"""

from __future__ import annotations

import re
import unicodedata

# Not seen, and in the middle of words: soft hyphens, joiners, marks of the byte order.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
# A letter with the marks that may be apart from it, or a whole syllable of Korean in its parts.
_CLUSTER = re.compile(r"[\u1100-\u11ff]+|.[\u0300-\u036f\u0653-\u0655\u0e30-\u0e4e\u3099\u309a]*", re.DOTALL)
_FIRST_WIDE = "\u2e80"


def fold(text: str) -> str:
    """Return a text with one spelling for what reads alike.

    Letters in one character or two, ligatures, all kinds of spaces, sharp s, full-width letters; without case and
    without soft hyphens.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).translate(_INVISIBLE).casefold())


def find(text: str, words: str) -> tuple[int, int] | None:
    """Return where a text has some words, however both are spelled (see `fold`); None where it does not.

    Other words begin with a letter or digit beside them: "rent" is not in "current". Scripts without spaces have no
    such places, so there any will do.

    Returns:
        Start and end in the text as it is.
    """
    looked_for = fold(words)
    if not looked_for or looked_for not in fold(text):
        return None
    folded, places = "", [0]  # a letter of the text -> any number of folded ones
    for cluster in _CLUSTER.finditer(text):
        letters = fold(cluster[0])
        folded += letters
        places += [cluster.start()] * (len(letters) - 1) + [cluster.end()] if letters else []
    at = folded.find(looked_for)
    while at >= 0:
        end = at + len(looked_for)
        if not (_goes_on(folded[at - 1 : at], looked_for[0]) or _goes_on(looked_for[-1], folded[end : end + 1])):
            return places[at], places[end]
        at = folded.find(looked_for, at + 1)
    return None


def _goes_on(before: str, after: str) -> bool:
    return all(letter.isalnum() and letter < _FIRST_WIDE for letter in (before or " ", after or " "))


def visible(text: str) -> str:
    """Return a text without invisible letters, each letter in one character; case stays."""
    return unicodedata.normalize("NFC", text).translate(_INVISIBLE)
