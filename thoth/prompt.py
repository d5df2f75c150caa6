"""Conversation -> token ids, and how many of them come from documents. Runs on the MLX thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from thoth.errors import ThothError
from thoth.ingest import Document
from thoth.loading import LoadedPair

Message = dict[str, str]


@dataclass(frozen=True)
class Prompt:
    """What the model reads.

    Attributes:
        ids: the templated conversation, ready for the answer.
        document_tokens: how many of them are there because of documents in the context.
        room: tokens that are left for the answer.
    """

    ids: list[int]
    document_tokens: int
    room: int


def build(pair: LoadedPair, messages: Sequence[Message], context: Sequence[Document]) -> Prompt:
    """Apply the base's chat template, the texts of `context` in front of the first message.

    Raises:
        ThothError: The prompt is longer than the base reads.
    """
    ids = _ids(pair, messages, context)
    document_tokens = len(ids) - len(_ids(pair, messages, ())) if context else 0
    room = pair.context_length - len(ids)
    if room < 1:
        remedy = "ask from the weights instead of in context" if context else "shorten the question"
        raise ThothError(f"the prompt has {len(ids)} tokens, the model reads {pair.context_length}: {remedy}")
    return Prompt(ids, document_tokens, room)


def _ids(pair: LoadedPair, messages: Sequence[Message], context: Sequence[Document]) -> list[int]:
    from mlx_hypernet.template import template_ids

    first, *others = messages
    texts = [*(document.text.strip() for document in context), first["content"]]
    conversation = [{**first, "content": "\n\n".join(texts)}, *others]
    return template_ids(pair.tokenizer, conversation)
