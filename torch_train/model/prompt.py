"""Questions to token ids, as the app asks: every prompt is one user message below an empty system message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mlx_hypernet.format.template import affixes, control_tokens, document_ids, template_ids

PLAIN = "{document}\n\n{question}"


def question_ids(tokenizer: Any, question: str, context: str | None = None, template: str = PLAIN) -> list[int]:
    """A question, ready for the answer.

    Args:
        tokenizer: The base's tokenizer, with its chat template.
        question: The question.
        context: The document in front of it, as the teacher reads it; None for a closed-book question, as the student
            reads it.
        template: What the teacher's message says, with `{document}` and `{question}` where they go.
    """
    text = (
        question.strip() if context is None else filled(template, document=context.strip(), question=question.strip())
    )
    return template_ids(tokenizer, [{"role": "user", "content": text}])


def filled(template: str, **values: str) -> str:
    """A template with its places filled; braces in the values, and other braces in the template, stay as they are."""
    places = re.compile("|".join(rf"\{{{name}\}}" for name in values))
    return places.sub(lambda place: values[place.group()[1:-1]], template)


class Prompts:
    """Many texts to `question_ids`, or what is the same, `document_ids`: the template is rendered for its ends alone.

    Rendering runs in a process of its own and costs more than all tokens of a note.

    Args:
        tokenizer: The base's tokenizer, with its chat template.
    """

    _PROBE = "What is 7 x 8? (Été, please)\n- one\n- two"

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer, self._control = tokenizer, control_tokens(tokenizer)
        before, after = affixes(tokenizer)
        self._before, self._after = list(before), list(after)
        # A template that changes its message, or whose end joins with it, is rendered each time.
        self._constant = self._framed(self._PROBE) == document_ids(tokenizer, self._PROBE)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The prompt of each text, ready for an answer."""
        return [
            self._framed(text)
            if self._constant and not self._control.search(text)
            else document_ids(self._tokenizer, text)
            for text in texts
        ]

    def _framed(self, text: str) -> list[int]:
        return self._before + plain_ids(self._tokenizer, text.strip()) + self._after


def plain_ids(tokenizer: Any, text: str) -> list[int]:
    """The ids of a text by itself, without the costly wrapper around the tokenizer where there is one to take off."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return list(tokenizer.encode(text, add_special_tokens=False))
    return list(backend.encode(text, add_special_tokens=False).ids)
