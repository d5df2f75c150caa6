"""Texts and questions -> words to search for: spelled alike, and apart in scripts without spaces.

FTS5 cuts at spaces. Chinese, Japanese and Thai have none, so their runs become overlapping pieces of two letters, of
Thai three: most Chinese words are two letters long, which FTS5's own `trigram` tokenizer cannot find.
"""

from __future__ import annotations

import re
import unicodedata

from thoth.system.spelling import fold

# Words are found without their accents and endings: "Müllers" finds "Muller". Another tokenizer needs a new
# step of the schema that rebuilds the index.
TOKENIZER = "porter unicode61 remove_diacritics 2"

_WIDE = r"\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0003ffff"
_SOUTH_EAST = r"\u0e00-\u0edf\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer
_FIRST_WIDE = "\u3000"
_RUN = re.compile(f"[{_WIDE}]+|[{_SOUTH_EAST}]+")
_WRAPPED = re.compile(f"(?<=[{_WIDE}])[ \t]*\n[ \t]*(?=[{_WIDE}])")


def search_text(text: str) -> str:
    """Return what the word index holds for a text, and looks for in a question."""
    return _RUN.sub(_pieces, _WRAPPED.sub("", fold(text)))


def _pieces(run: re.Match[str]) -> str:
    # Marks above and below Thai letters are typed in any order, and FTS5 would cut at them.
    letters = [letter for letter in run[0] if unicodedata.category(letter) not in ("Mn", "Mc")]
    size = 3 if run[0][0] < _FIRST_WIDE else 2
    last = max(1, len(letters) - size + 1)
    return f" {' '.join(''.join(letters[at : at + size]) for at in range(last))} "
