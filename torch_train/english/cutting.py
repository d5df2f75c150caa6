"""Texts to parts of a chunk's length: whole sentences, each question with the part that answers it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence

from torch_train.english.question import Question

Tokens = Callable[[str], int]  # number of tokens of a text
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]\u201d\u2019]*\s+(?=[\"'(\[\u201c\u2018]?[A-Z0-9])|\n\n+")
_WORD = re.compile(r"\w+")


def cut(
    text: str, questions: Sequence[Question], tokens: Tokens, longest: int
) -> list[tuple[str, tuple[Question, ...]]]:
    """Parts of a text that have questions, each of at most `longest` tokens and made of whole sentences."""
    if tokens(text) <= longest:
        return [(text, tuple(questions))] if questions else []
    parts = list(_parts(text, tokens, longest))
    chosen: dict[str, list[Question]] = {part: [] for part in parts}
    for question in questions:
        having = [part for part in parts if any(answer in part for answer in question.accepted)]
        if having:  # of several, the one that speaks of what is asked
            asked = _words(question.text)
            chosen[max(having, key=lambda part: len(asked & _words(part)))].append(question)
    return [(part, tuple(asked)) for part, asked in chosen.items() if asked]


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with the white space after it: joined, they are the text."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True) if text[start:end]]


def tidy(text: str) -> str:
    """A text without the line breaks inside its paragraphs, with single spaces and without HTML's entities."""
    paragraphs = (" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", html.unescape(text)))
    return "\n\n".join(filter(None, paragraphs))


def _parts(text: str, tokens: Tokens, longest: int) -> Iterator[str]:
    """Consecutive sentences, as many as fit; one that is too long alone is left out."""
    part, length = "", 0
    for sentence in sentences(text):
        count = tokens(sentence)
        # Sentences alone have nearly as many tokens as together: near the end, the text itself is counted.
        if part and length + count > 0.9 * longest and tokens((part + sentence).strip()) > longest:
            yield part.strip()
            part, length = "", 0
        if count <= longest:
            part, length = part + sentence, length + count
    if part:
        yield part.strip()


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
