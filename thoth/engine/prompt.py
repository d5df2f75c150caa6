"""Conversation -> token ids, and the number of them that come from documents. Runs on the MLX thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from thoth.engine.loading import LoadedPair
from thoth.errors import ModelError, ThothError
from thoth.ingest import Document

Message = Mapping[str, Any]


class TooLongError(ThothError):
    """A prompt is longer than the context of the base."""


@dataclass(frozen=True)
class Prompt:
    """The prompt of one question.

    Attributes:
        ids: token ids of the templated conversation, ready for the answer.
        document_tokens: number of them that come from documents in the context.
        room: number of tokens left for the answer.
        passages: number of passages in the context.
    """

    ids: list[int]
    document_tokens: int
    room: int
    passages: int = 0


def build(
    pair: LoadedPair,
    messages: Sequence[Message],
    context: Sequence[Document] = (),
    passages: Sequence[str] = (),
    room: int = 1,
    tools: Sequence[Mapping[str, Any]] = (),
) -> Prompt:
    """Apply the base's chat template.

    Args:
        pair: the pair with the template.
        messages: the conversation; a system message may come first, the next is the user's, the last the user's or the
            result of a tool.
        context: documents; their texts go before the first message, because they are known from the beginning.
        passages: texts before the user's last message, because they were looked up for it.
        room: number of tokens that must be left for the answer.
        tools: schemas of the tools that the model may call.

    Raises:
        TooLongError: The prompt does not fit in the context of the base.
        ModelError: The base's chat template fails, or does not end.
    """
    texts = [document.text.strip() for document in context]
    ids = _ids(pair, messages, texts, passages, tools)
    document_tokens = len(ids) - len(_ids(pair, messages, tools=tools)) if context or passages else 0
    left = pair.context_length - len(ids)
    if left < room:
        remedy = "start a new conversation" if len(messages) > 1 else "shorten the question"
        remedy = "ask from the weights instead of in context" if context else remedy
        if tools and (of_tools := len(ids) - len(_ids(pair, messages, texts, passages))) + left >= room:
            remedy = f"its tools take {of_tools}: name fewer MCP servers in the settings"
        raise TooLongError(f"the prompt has {len(ids)} tokens, but the model reads {pair.context_length}; {remedy}")
    return Prompt(ids, document_tokens, left, len(passages))


def _ids(
    pair: LoadedPair,
    messages: Sequence[Message],
    context: Sequence[str] = (),
    passages: Sequence[str] = (),
    tools: Sequence[Mapping[str, Any]] = (),
) -> list[int]:
    from jinja2 import TemplateError

    from mlx_hypernet.format.template import template_ids

    conversation = [dict(message) for message in messages]
    asked = [message for message in conversation if message["role"] == "user"]
    for message, texts in ((asked[-1], passages), (asked[0], context)):
        if texts:
            told = "\n\n".join([*texts, pair.reading.before_question + message["content"]])
            message["content"] = pair.reading.before_text + told
    try:
        return template_ids(pair.tokenizer, conversation, [dict(tool) for tool in tools])
    except (TemplateError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"the base model cannot template a conversation ({reason}); use another model") from error


def readable(messages: Sequence[Message]) -> list[Message]:
    """Return messages without lone surrogates, which no tokenizer reads; arguments of a command line may have them."""
    return [
        {**message, "content": message["content"].encode(errors="replace").decode()}
        if isinstance(message.get("content"), str)
        else message
        for message in messages
    ]


def reads_system(pair: LoadedPair) -> bool:
    """Tell whether the base's chat template takes a system prompt and puts it into the prompt."""
    from jinja2 import TemplateError

    from mlx_hypernet.format.rendering import render

    probe = "Be brief and kind."
    try:
        text = render(pair.tokenizer, [{"role": "system", "content": probe}, {"role": "user", "content": "Hello"}])
    except (TemplateError, ValueError):
        return False
    return probe in text
