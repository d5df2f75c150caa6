"""Conversation to token ids, whatever its messages say: a `[/INST]` in somebody's text is text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

# From Unicode's private use area: no document holds both around a number.
_MARK = "\ue000{}\ue001"
_MARKS = re.compile(r"\ue000(\d+)\ue001")


def template_ids(tokenizer: Any, messages: Sequence[dict[str, str]]) -> list[int]:
    """Apply the chat template below an empty system message, as in training, with the generation prompt.

    Without a system message some templates put in one of their own, which hypernetwork and adapter never saw.

    Args:
        tokenizer: of transformers, or mlx-lm's wrapper of one.
        messages: `role` and `content` of each, the user's first.
    """
    from jinja2 import TemplateError

    try:
        return _ids(tokenizer, [{"role": "system", "content": ""}, *messages])
    except TemplateError:  # Gemma-2's template knows no system message, not even an empty one
        return _ids(tokenizer, messages)


def _ids(tokenizer: Any, messages: Sequence[dict[str, str]]) -> list[int]:
    """The template's ids.

    A tokenizer takes control tokens that are spelt out in a message for the template's own: a paper about
    chat formats would end the user's turn in its middle. Such messages are encoded by themselves, as plain text.
    """
    control = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    if not any(token in message["content"] for message in messages for token in control):
        return list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))
    # An empty message stays empty: templates ask whether there is a system prompt.
    marked = [m | {"content": m["content"] and _MARK.format(i)} for i, m in enumerate(messages)]
    rendered = tokenizer.apply_chat_template(marked, add_generation_prompt=True, tokenize=False)
    ids: list[int] = []
    for i, part in enumerate(_MARKS.split(rendered)):  # template, number, template, number, ... template
        text = messages[int(part)]["content"] if i % 2 else part
        ids += tokenizer.encode(text, add_special_tokens=False, split_special_tokens=bool(i % 2))
    return ids
