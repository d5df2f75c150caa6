"""What a document is about, as the library knows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from thoth.library.reading import LibraryReader
from thoth.retrieval.summary import summary


class About(TypedDict):
    """What JSON says about it; see `of`."""

    summary: str
    questions: Sequence[str]


def of(library: LibraryReader, id: str) -> About:
    """Return two sentences of a document, and the questions that were written about it; empty where there are none."""
    return {"summary": summary(library.document(id)), "questions": library.questions(id) or ()}
