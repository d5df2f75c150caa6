"""Texts in calls that are quotes: words of the conversation in their order, none left out, none cut.

A small base chooses the right place in a request, and then drops letters of a name it never saw. With the words to
choose from it cannot: what is not in the request is in no call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from thoth.engine import call_schema

if TYPE_CHECKING:
    from thoth.engine.prompt import Message

_MOST_WORDS = 2000  # the last ones: the grammar of 5,000 takes 0.05 s
_BREAK = "\n"  # no quote leads across it, since no text in a call has a raw one
_ENDS = re.compile(r"[.,;:!?]*\Z")
_AROUND = "\"'`()[]<>\u201c\u201d\u2018\u2019\u00ab\u00bb"
# What a schema may say so that a quote is all that its text can be.
_PLAIN = {"type", "description", "title"}
_OBJECT = {"type", "properties", "required", "additionalProperties", "description", "title", "$schema"}

TEXT = "QUOTE"


def terminals(messages: Sequence[Message], marks: Sequence[str] = ()) -> list[str]:
    """Return the grammar's terminals for a quote, `TEXT`; none where nothing was said.

    Quoted is what the user said last, or a result after it. A quote begins with a space.

    Args:
        messages: the conversation.
        marks: the base's control tokens. A word that spells one is in no quote: where the grammar leaves one way only,
            llguidance would write the token.
    """
    last = max((place for place, message in enumerate(messages) if message["role"] == "user"), default=0)
    said = [one["content"] for one in messages[last:] if isinstance(one["content"], str)]
    pieces = [piece for text in said for piece in _pieces(text, marks)][-_MOST_WORDS:]
    if not any(piece.startswith(" ") for piece in pieces):
        return []
    return [f"{TEXT}: / .+/ & WORDS", f"WORDS: %regex {json.dumps({'substring_chunks': pieces})}"]


def arguments(rule: str, schema: Mapping[str, Any]) -> list[str]:
    """Return the grammar's rules for a tool's arguments as JSON with quotes; none where the schema allows others.

    Args:
        rule: name of the first rule.
        schema: the tool's arguments, as a server may send them.
    """
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, Mapping) or not all(isinstance(one, Mapping) for one in properties.values()):
        return []
    if not isinstance(required, Sequence) or {*map(str, required)} != properties.keys():
        return []
    if not schema.keys() <= _OBJECT or "$ref" in str(schema):
        return []
    quoted = {name for name, one in properties.items() if one.get("type") == "string" and one.keys() <= _PLAIN}
    if not quoted:
        return []
    parts, rules = list[str](), list[str]()
    for place, (name, one) in enumerate(properties.items()):
        key = f"{'{' if place == 0 else ', '}{json.dumps(name, ensure_ascii=False)}: "
        if name in quoted:
            parts += [json.dumps(f'{key}"'), TEXT, json.dumps('"')]
        else:
            parts += [json.dumps(key), f"{rule}_{place}"]
            rules.append(f"{rule}_{place}: %json {json.dumps(call_schema.value(one))}")
    return [f"{rule}: {' '.join(parts)} {json.dumps('}')}", *rules]


def _pieces(text: str, marks: Sequence[str]) -> Iterator[str]:
    """What a quote is put together from: words, and the marks that end them; once more without what stands around."""
    words = [_BREAK if any(mark in word for mark in marks) else word for word in text.split()]
    yield from (piece for word in words for piece in _split(word))
    yield _BREAK
    bare = [word if word == _BREAK else _core(word) for word in words]
    if bare != words:
        yield from (piece for word in bare for piece in _split(word))
        yield _BREAK


def _core(word: str) -> str:
    """A word without quotation marks and brackets; marks that end it stay."""
    end = _ENDS.search(word)
    assert end is not None
    return f"{word[: end.start()].strip(_AROUND)}{end.group()}"


def _split(word: str) -> Iterator[str]:
    """A word with the space before it, and each mark that ends it, as JSON spells them."""
    if word == _BREAK:
        yield word
        return
    end = _ENDS.search(word)
    assert end is not None
    if end.start():
        yield f" {json.dumps(word[: end.start()], ensure_ascii=False)[1:-1]}"
    yield from end.group()
