"""Conversation to token ids, whatever its messages say: a `[/INST]` in somebody's text is text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

# From Unicode's private use area: no document holds both around a number.
_MARK = "\ue000{}\ue001"
_MARKS = re.compile(r"\ue000(\d+)\ue001")


def template_ids(tokenizer: Any, messages: Sequence[dict[str, str]]) -> list[int]:
    """Apply the chat template, with the generation prompt.

    A tokenizer takes control tokens that are spelt out in a message for the template's own: a paper about
    chat formats would end the user's turn in its middle. Such a message is encoded by itself, as plain text.

    Args:
        tokenizer: of transformers, or mlx-lm's wrapper of one.
        messages: `role` and `content` of each.
    """
    control = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    plain = not any(token in message["content"] for message in messages for token in control)
    if plain:
        return list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))
    # An empty message stays empty: templates ask whether there is a system prompt.
    marked = [m | {"content": m["content"] and _MARK.format(i)} for i, m in enumerate(messages)]
    rendered = tokenizer.apply_chat_template(marked, add_generation_prompt=True, tokenize=False)
    ids: list[int] = []
    for i, part in enumerate(_MARKS.split(rendered)):  # template, number, template, number, ... template
        text = messages[int(part)]["content"] if i % 2 else part
        ids += tokenizer.encode(text, add_special_tokens=False, split_special_tokens=bool(i % 2))
    return ids
