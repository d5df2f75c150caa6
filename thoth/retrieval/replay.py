"""Which earlier turns of a conversation are replayed for a question: those it needs, and no others.

Turns about other documents rot an answer: the model repeats names of theirs (docs/measurements.md, "Long chats"). A
question that names what it is about is complete. One that names nothing, or refers to what was said, leans on the
turns just before it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from thoth.retrieval.routing import HISTORY_TURNS
from thoth.retrieval.terms import names

Message = Mapping[str, str]

# Words that refer to what was said or to who says it. A relative "that" is among them: to replay a turn too many costs
# less than to lose the one that is meant.
_REFERS = re.compile(
    r"\b(?:it|its|itself|they|them|their|theirs|he|him|his|himself|she|her|hers|herself|this|that|these|those|same|"
    r"others?|another|else|again|also|too|instead|former|latter|previous|previously|earlier|before|above|"
    r"you|your|i|me|my|mine|"
    r"er|ihn|ihm|dessen|deren|davon|dazu|darin|dort|diese[rsmn]?|"
    r"il|elle|ils|elles|lui|leur|cela|celui|celle|ceux|"
    r"él|ella|ellos|ellas|eso|esto|ese|esa|"
    r"lui|lei|loro|questo|quello|ciò|"
    r"hij|hem|zij|haar|hun|dit|deze)\b",
    re.IGNORECASE,
)


def leans(question: str) -> bool:
    """Tell whether a question needs what was said before it."""
    return not names(question) or refers(question)


def refers(question: str) -> bool:
    """Tell whether a question has a word that refers to what was said or to who says it."""
    return _REFERS.search(question) is not None


def needed(
    messages: Sequence[dict[str, str]], history_turns: int = HISTORY_TURNS, also: Collection[int] = ()
) -> list[dict[str, str]]:
    """Return the part of a conversation that is replayed for its last question.

    Args:
        messages: the conversation; its last message is the question. Messages before the first one of the user, such
            as a system message, always stay.
        history_turns: most turns before the question; 0 for none.
        also: turns, counted from 0, that are needed whatever the question says.

    Returns:
        Those messages, the last turns (a message of the user and what follows it), the question.
    """
    starts = [place for place, message in enumerate(messages[:-1]) if message["role"] == "user"]
    head = messages[: starts[0]] if starts else messages[:-1]
    last = range(len(starts))[-history_turns:] if history_turns and leans(messages[-1]["content"]) else ()
    turns = sorted({*last, *also})[-history_turns:] if history_turns else []
    ends = [*starts[1:], len(messages) - 1]
    return [*head, *(message for turn in turns for message in messages[starts[turn] : ends[turn]]), messages[-1]]
