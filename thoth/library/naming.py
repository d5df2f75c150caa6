"""What people call a document: its id, the first letters of it, its name or a part of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches

from thoth.errors import DocumentError, UnknownNameError
from thoth.ingest.names import shown
from thoth.library.records import StoredDocument
from thoth.system.spelling import fold

_PREFIX_LETTERS = 4
_MOST_NEAR = 3
# A chat's documents are not listed: one of them is meant only where no listed one is.
_EXACT = ("id = ?", "name = ? AND NOT of_chat", "name = ?", "substr(id, 1, length(?1)) = ?1 AND NOT of_chat")


def named(listed: Callable[..., list[StoredDocument]], name: str, *, loosely: bool) -> StoredDocument:
    """Return the document that a name stands for; see `LibraryReader.get`.

    Args:
        listed: lists documents that an SQL condition and its parameters choose.
        name: an id, the first letters of one, a name or a part of that.
        loosely: a part of a name is enough, where it is one document's.
    """
    name = shown(name)
    for way in _EXACT if len(name) >= _PREFIX_LETTERS else _EXACT[:-1]:
        if found := listed(way, name):
            return _only(found, name)
    known = listed("NOT of_chat")
    part = fold(name)
    if found := [document for document in known if fold(document.name) == part]:
        return _only(found, name)
    holding = [document for document in known if part in fold(document.name)]
    if loosely and len(holding) == 1:
        return holding[0]
    near = list(dict.fromkeys(document.name for document in holding)) or _similar(part, known)
    more = f" and {len(near) - _MOST_NEAR} more" if len(near) > _MOST_NEAR else ""
    hint = f" (similar: {', '.join(near[:_MOST_NEAR])}{more})" if near else ""
    raise UnknownNameError(name, hint)


def _only(documents: Sequence[StoredDocument], name: str) -> StoredDocument:
    if len(documents) > 1:
        ids = ", ".join(document.id for document in documents[:5])
        raise DocumentError(f"'{name}' matches {len(documents)} documents; use an id ({ids})")
    return documents[0]


def _similar(name: str, documents: Sequence[StoredDocument]) -> list[str]:
    """Return the names that are spelt almost so, with or without their endings."""
    spelt = {fold(document.name): document.name for document in documents}
    spelt |= {folded.rpartition(".")[0]: real for folded, real in spelt.items() if "." in folded}
    return list(dict.fromkeys(spelt[near] for near in get_close_matches(name, spelt, n=_MOST_NEAR)))
