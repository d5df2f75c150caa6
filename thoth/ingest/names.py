"""Names of files and addresses as they may be shown: a name must not move the cursor or reverse the line."""

import unicodedata

# Control, surrogate (bytes of a name that are no UTF-8), line and paragraph separators.
_UNSAFE = {"Cc", "Cs", "Zl", "Zp"}

# Marks that reverse what follows; joiners and variation selectors stay, emoji are made of them.
_DIRECTION = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shown(name: str) -> str:
    r"""Return the name with everything unsafe written as an escape, `\n` for example."""
    return "".join(_escaped(c) if unicodedata.category(c) in _UNSAFE or c in _DIRECTION else c for c in name)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
