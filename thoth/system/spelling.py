"""One spelling for what reads alike: names and words are typed in other ways than they are stored.

A Mac's disk has `é` in one character or two, as the program that wrote the name liked; keyboards type one.
"""

from __future__ import annotations

import unicodedata

# Not seen, and in the middle of words: soft hyphens, joiners, marks of the byte order.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))


def fold(text: str) -> str:
    """Return a text with one spelling for what reads alike.

    Letters in one character or two, ligatures, all kinds of spaces, sharp s, full-width letters; without case and
    without soft hyphens.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).translate(_INVISIBLE).casefold())


def visible(text: str) -> str:
    """Return a text without invisible letters, each letter in one character; case stays."""
    return unicodedata.normalize("NFC", text).translate(_INVISIBLE)
