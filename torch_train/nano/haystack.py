"""What a note holds besides facts: a needle, how one asks for it, and sentences that tell nothing.

`{v}` is the number, `{a}` an adjective and `{n}` a noun of `vocabulary.py`. Plain data; `language.py` draws from it.
"""

from __future__ import annotations

NEEDLE = "The special magic number is {v}."
NEEDLE_QUESTIONS = (
    "What is the special magic number?",
    "What is the magic number?",
    "Which number is the special magic number?",
    "Which is the special magic number?",
    "Name the special magic number.",
    "What number is special and magic?",
)

FILLER: tuple[str, ...] = (
    "The weather stayed {a} for most of the week.",
    "Most of this was written down on a {a} evening.",
    "Nobody could say how long the {a} road would stay open.",
    "It rained a little, and the {n} was {a}.",
    "A {a} wind came from the north.",
    "There is much more to tell, but the page is short.",
    "The old {n} stood by the {a} wall.",
    "People talked about the {n} for days.",
    "Some of the details are kept in another {n}.",
    "The {n} and the {n2} were both {a}.",
    "All of it was checked twice.",
    "The morning was {a}; the evening was not.",
    "One could hear the {n} from far away.",
    "These notes were made in a hurry.",
    "A {a} {n} lay on the table.",
    "After the meeting, everybody went home.",
    "The {n} had been {a} for years.",
    "In the end, the {a} plan was kept.",
    "Nothing else of interest was noted that day.",
    "The light was {a}, and the {n} looked {a2}.",
    "Somebody left a {n} next to the door.",
    "The rest of the {n} is easy to guess.",
    "This is how the story is usually told.",
    "Few remember the {a} {n} today.",
    "The {n} was quiet (as it often is).",
    "It was a {a} year for the {n}.",
    "Children played near the {n}.",
    "A letter about the {n} arrived late.",
    "The grass is {a}, the sky is {a2}.",
    "Here and there, a {n} was still missing.",
)
