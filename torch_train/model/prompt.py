"""Questions to token ids, as the app asks: every prompt is one user message below an empty system message."""

from __future__ import annotations

import re
from typing import Any

from mlx_hypernet.format.template import template_ids

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
