"""Texts to token ids, as the app asks: every prompt is one user message below an empty system message."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError

# From Unicode's private use area: no document holds both around a number.
_MARK = "\ue000{}\ue001"
_MARKS = re.compile(r"\ue000(\d+)\ue001")


def document_ids(tokenizer: Any, text: str) -> list[int]:
    """What the context encoder reads: the document, stripped, as the user's message, with the generation prompt.

    The same as `mlx_hypernet.chunking.document_ids`.
    """
    return _chat_ids(tokenizer, text.strip())


def question_ids(tokenizer: Any, question: str, context: str | None = None) -> list[int]:
    """A question, ready for the answer.

    Args:
        tokenizer: The base's tokenizer, with its chat template.
        question: What is asked.
        context: The document in front of it, as the teacher reads it; None asks closed-book, as the student is asked.
    """
    texts = [question.strip()] if context is None else [context.strip(), question.strip()]
    return _chat_ids(tokenizer, "\n\n".join(texts))


def _chat_ids(tokenizer: Any, content: str) -> list[int]:
    user = {"role": "user", "content": content}
    try:
        return _template_ids(tokenizer, [{"role": "system", "content": ""}, user])
    except TemplateError:  # Gemma-2's template knows no system message, not even an empty one
        return _template_ids(tokenizer, [user])


def _template_ids(tokenizer: Any, messages: list[dict[str, str]]) -> list[int]:
    """The chat template's ids; a `[/INST]` in somebody's text stays text, as in `mlx_hypernet/template.py`."""
    if not any(_control(tokenizer).search(message["content"]) for message in messages):
        return list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))
    # An empty message stays empty: templates ask whether there is a system prompt.
    marked = [m | {"content": m["content"] and _MARK.format(i)} for i, m in enumerate(messages)]
    rendered = tokenizer.apply_chat_template(marked, add_generation_prompt=True, tokenize=False)
    ids: list[int] = []
    for i, part in enumerate(_MARKS.split(rendered)):  # template, number, template, number, ... template
        text = messages[int(part)]["content"] if i % 2 else part
        ids += tokenizer.encode(text, add_special_tokens=False, split_special_tokens=bool(i % 2))
    return ids


@lru_cache(maxsize=4)
def _control(tokenizer: Any) -> re.Pattern[str]:
    """Control tokens spelt out; Tekken has a thousand, and there are hundreds of thousands of prompts."""
    tokens = [re.escape(token.content) for token in tokenizer.added_tokens_decoder.values() if token.special]
    return re.compile("|".join(tokens) or r"(?!)")
