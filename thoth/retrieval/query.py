"""A conversation -> what is searched for: its last question, and what that takes from the turns before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from thoth.retrieval import replay, terms

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument

# Between a question, what it takes from an earlier question, and from the answer to that; a dash, so that no sentence
# seems to begin after it.
_CARRY = "\n- "
# Names that a follow-up question takes from the turn before; a long answer has many.
_CARRIED = 8


def conversation_query(messages: Sequence[Mapping[str, str]], documents: Sequence[StoredDocument] = ()) -> str:
    """Build what is searched for from a conversation whose last message is a question.

    A question that names nothing ("And when was it founded?") gets the names of the turn before it, answer included,
    or of the last one that has any, and the words of its question that a document is called by; where none has, the
    whole question before it.

    Args:
        messages: the conversation.
        documents: those that may be meant.
    """
    question = messages[-1]["content"].replace(_CARRY, "\n* ")  # a list of the question's own
    if terms.names(question):
        return question
    asked = [place for place, message in enumerate(messages[:-1]) if message["role"] == "user"]
    stop = len(messages) - 1
    for place in reversed(asked):
        said = "\n".join(message["content"] for message in messages[place:stop])
        if found := [name for name in terms.names(said) if not name.isdigit()][:_CARRIED]:
            before = messages[place]["content"]
            called = [word for word in _calling(before, documents) if word not in found]
            own = [name for name in found if name in terms.names(before)]
            taken = [[*called, *own], [name for name in found if name not in own]]
            return _CARRY.join([question, *(" ".join(words) for words in taken)]).removesuffix(_CARRY)
        stop = place
    return f"{question}{_CARRY}{messages[asked[-1]]['content']}" if asked else question


def parts(query: str) -> tuple[str, list[str]]:
    """Return the question that a query is for, and what it takes: from a question before, from the answer to that."""
    own, *carried = query.split(_CARRY)
    return own, carried


def about(query: str) -> str:
    """Return what is asked about: the question with what it takes, but not the answer before where it is complete.

    "And who is the deputy?" after "Who is the mayor of Harpool?" is about Harpool, not about the mayor.
    """
    own, carried = parts(query)
    if len(carried) > 1 and terms.content(own) and not replay.refers(own):
        carried = carried[:1]
    return _CARRY.join([own, *carried])


def _calling(question: str, documents: Sequence[StoredDocument]) -> list[str]:
    """Return the words of a question that are in the names of documents."""
    names = {word for one in documents for word in terms.terms(PurePath(one.name).stem) if len(word) > 2}
    return [word for word in terms.content(question) if not names.isdisjoint(terms.terms(word))]
