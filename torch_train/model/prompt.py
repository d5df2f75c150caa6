"""Questions to token ids, as the app asks: every prompt is one user message below an empty system message."""

from __future__ import annotations

from typing import Any

from mlx_hypernet.format.template import template_ids


def question_ids(tokenizer: Any, question: str, context: str | None = None) -> list[int]:
    """A question, ready for the answer.

    Args:
        tokenizer: The base's tokenizer, with its chat template.
        question: The question.
        context: The document in front of it, as the teacher reads it; None for a closed-book question, as the student
            reads it.
    """
    texts = [question.strip()] if context is None else [context.strip(), question.strip()]
    return template_ids(tokenizer, [{"role": "user", "content": "\n\n".join(texts)}])
