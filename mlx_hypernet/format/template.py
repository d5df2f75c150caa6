"""Conversation to token ids, whatever its messages say: a `[/INST]` in a message stays text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from mlx_hypernet.format.rendering import render

# From Unicode's private use area; one in a text is taken for a control token.
_MARK = "\ue000{}\ue001"
_MARKS = re.compile(r"\ue000(\d{1,9})\ue001")
# Documents without a token in common at either end: what their templated ids share is the template.
_PROBES = ("Alpha beta gamma", "7 of 9", "(another), text: here!", "été, où")


def document_ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a document as the hypernetwork was trained to read it.

    The document, stripped, is the user's message below an empty system message, with the generation prompt.
    """
    return template_ids(tokenizer, [{"role": "user", "content": text.strip()}])


def template_ids(tokenizer: Any, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]] = ()) -> list[int]:
    """Apply the chat template with the generation prompt.

    Without a system message some templates put in one of their own, which hypernetwork and adapter never saw: where
    the messages begin with none, they follow an empty one, as in training.

    Args:
        tokenizer: a tokenizer of transformers, or mlx-lm's wrapper of one.
        messages: `role` and `content` of each, the user's first or after a system message; calls and results as
            transformers has them.
        tools: schemas of the tools that the model may call.

    Raises:
        jinja2.TemplateError: The template refuses the messages, or is none.
        ValueError: There is no template, or it does not end.
    """
    from jinja2 import TemplateError

    system, said = "", list(messages)
    if said[0]["role"] == "system":
        system, said = said[0]["content"], said[1:]
    try:
        ids = _ids(tokenizer, [{"role": "system", "content": system}, *said], tools)
    except TemplateError:  # Gemma-2's template knows no system message, not even an empty one
        if system:
            said[0] = said[0] | {"content": f"{system}\n\n{said[0]['content']}"}
        ids = _ids(tokenizer, said, tools)
    if not ids:
        raise ValueError("the chat template leaves out the messages")
    return ids


def affixes(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that the chat template puts in front of and after every document.

    They are what the ids of unlike documents share. Ministral: (1, 3) = `<s>[INST]` and (4,) = `[/INST]`.
    """
    documents = [document_ids(tokenizer, probe) for probe in _PROBES]
    return _common_start(documents), _common_start([ids[::-1] for ids in documents])[::-1]


def _common_start(sequences: list[list[int]]) -> tuple[int, ...]:
    start = []
    for ids in zip(*sequences, strict=False):
        if len(set(ids)) > 1:
            break
        start.append(ids[0])
    return tuple(start)


def _ids(tokenizer: Any, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]) -> list[int]:
    """The template's ids.

    A tokenizer takes control tokens that are spelt out in a message for the template's own: a paper about
    chat formats would end the user's turn in its middle. Such messages are encoded by themselves, as plain text. In
    results, calls and schemas, which templates write as JSON, each spelt token is taken apart.
    """
    control = control_tokens(tokenizer)
    texts: list[list[str]] = []  # what the marks stand for, in parts

    def mark(*parts: str) -> str:
        texts.append([*parts])
        return _MARK.format(len(texts) - 1)

    def apart(value: Any) -> Any:
        if isinstance(value, str):
            return _added_tokens(tokenizer).sub(lambda found: mark(found[0][:1], found[0][1:]), value)
        if isinstance(value, dict):
            return {apart(key): apart(part) for key, part in value.items()}
        return [apart(part) for part in value] if isinstance(value, list | tuple) else value

    is_spelt = any(control.search(message["content"]) for message in messages if message["role"] != "tool")
    marked = [
        apart(message)
        if message["role"] == "tool"
        # An empty message stays empty: templates ask whether there is a system prompt.
        else apart({key: value for key, value in message.items() if key not in ("role", "content")})
        | {
            "role": message["role"],
            "content": mark(message["content"]) if is_spelt and message["content"] else message["content"],
        }
        for message in messages
    ]
    rendered = render(tokenizer, marked, apart(list(tools)))
    if not texts:
        return list(tokenizer.encode(rendered, add_special_tokens=False))
    ids: list[int] = []
    for i, part in enumerate(_MARKS.split(rendered)):  # template, number, template, number, ... template
        if i % 2 and int(part) >= len(texts):
            raise ValueError("the chat template writes marks that stand for no message")
        for text in texts[int(part)] if i % 2 else [part]:
            ids += tokenizer.encode(text, add_special_tokens=False, split_special_tokens=bool(i % 2))
    return ids


@lru_cache(maxsize=4)
def control_tokens(tokenizer: Any) -> re.Pattern[str]:
    """Matches the control tokens; Tekken has a thousand, and training has hundreds of thousands of prompts."""
    tokens = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    return re.compile("|".join(map(re.escape, [_MARK[0], *tokens])))


@lru_cache(maxsize=4)
def _added_tokens(tokenizer: Any) -> re.Pattern[str]:
    """Matches all tokens that no text is made of; some bases mark calls and results with such that are not special."""
    tokens = [token.content for token in tokenizer.added_tokens_decoder.values() if len(token.content) > 1]
    return re.compile("|".join(map(re.escape, [_MARK[0], *sorted(tokens, key=len, reverse=True)])))
