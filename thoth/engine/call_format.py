"""How a base writes tool calls: which tokens begin and end one, and in which shape name and arguments come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

# "name": `name[ARGS]{...}`; "object": `{"name": ..., "arguments": {...}}`; "list": a JSON list of such objects.
# "other": mlx-lm reads it, but no grammar constrains it.
Shape = Literal["name", "list", "object", "other"]

ARGS = "[ARGS]"
_PROBE = {
    "type": "function",
    "function": {"name": "probe", "description": "", "parameters": {"type": "object", "properties": {}}},
}


@dataclass(frozen=True)
class CallFormat:
    """The format of a base's calls.

    Attributes:
        begin: token ids that begin a call.
        end: token ids that end a call, none where the next call or the end of the message does.
        parse: mlx-lm's parser for the base: what is between the two -> one call or several.
        shape: see `Shape`.
        copied: texts in arguments are copied from the conversation, as nano does it. Its template begins them with a
            space, as words begin there; the space is no part of them.
    """

    begin: tuple[int, ...]
    end: tuple[int, ...]
    parse: Callable[[str, Any], Any]
    shape: Shape
    copied: bool = False


def call_format(tokenizer: Any) -> CallFormat | None:
    """Return the format of a base's calls, None if its chat template knows no tools or mlx-lm cannot read its calls.

    Args:
        tokenizer: mlx-lm's wrapper of the base's tokenizer.
    """
    from jinja2 import TemplateError

    from mlx_hypernet.format.template import template_ids

    if not getattr(tokenizer, "has_tool_calling", False):
        return None
    message = [{"role": "user", "content": "probe"}]
    try:
        if template_ids(tokenizer, message, [_PROBE]) == template_ids(tokenizer, message):
            return None
    except (TemplateError, ValueError):
        return None
    template = tokenizer.get_chat_template(tools=[_PROBE])
    name = tokenizer.init_kwargs.get("tool_parser_type")
    shape: Shape = "other"
    if name == "mistral":
        shape = "name" if ARGS in template else "list"
    elif name == "json_tools":
        shape = "object"
    begin, end = tokenizer.tool_call_start_tokens, tokenizer.tool_call_end_tokens or ()
    return CallFormat(tuple(begin), tuple(end), tokenizer.tool_parser, shape, _is_copied(tokenizer))


def _is_copied(tokenizer: Any) -> bool:
    """Tell whether the chat template puts a space before what is written in an argument."""
    from jinja2 import TemplateError

    function = {"name": "probe", "arguments": {"text": "probed"}}
    call = {"id": "000000000", "type": "function", "function": function}
    said = [{"role": "user", "content": "probe"}, {"role": "assistant", "content": "", "tool_calls": [call]}]
    try:
        return '" probed"' in tokenizer.apply_chat_template(said, tools=[_PROBE], tokenize=False)
    except (TemplateError, ValueError, TypeError):  # some take calls only with a result after them
        return False
